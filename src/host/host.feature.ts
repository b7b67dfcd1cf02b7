import { type Feature, type GuardEntry, summarizeList } from '../common/feature.js';
import { rejectPublicSuffixes } from '../common/public-suffix.js';
import { HostGuard } from './host.guard.js';
import { type ResolvedHosts, resolveHosts } from './host.options.js';

export const HOSTS: Feature<'hosts', ResolvedHosts | false> = {
  key: 'hosts',
  resolve: resolveHosts,
  verify: async hosts => rejectPublicSuffixes('ASEC_HOST_ANY', hosts ? hosts.patterns.suffixes.values() : []),
  summarize: hosts => {
    if (hosts === false || hosts.anyHost)
      return {
        text: 'hosts: every one',
        warnings: [
          `${hosts === false ? 'hosts is off' : 'hosts.insecureAnyHost is on'}: DNS rebinding and forged links are possible, unless a proxy checks the host.`,
        ],
      };
    const { exact, suffixes } = hosts.patterns;
    return {
      text: `hosts: ${summarizeList([...exact, ...[...suffixes.keys()].map(suffix => `*.${suffix}`)])}`,
    };
  },
  providers: [HostGuard],
  exports: [HostGuard],
};

export const HOST_GUARD: GuardEntry<unknown> = { token: HostGuard };
