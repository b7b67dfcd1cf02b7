import type { Feature, GuardEntry } from '../common/feature.js';
import { rejectPublicSuffixes } from '../common/public-suffix.js';
import { HostGuard } from './host.guard.js';
import { type ResolvedHosts, resolveHosts } from './host.options.js';

export const HOSTS: Feature<'hosts', ResolvedHosts | false> = {
  key: 'hosts',
  resolve: resolveHosts,
  verify: async hosts => rejectPublicSuffixes('ASEC_HOST_ANY', hosts ? hosts.patterns.suffixes.values() : []),
  providers: [HostGuard],
  exports: [HostGuard],
};

export const HOST_GUARD: GuardEntry<unknown> = { token: HostGuard };
