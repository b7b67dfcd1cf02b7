import { type Feature, type GuardEntry, summarizeList } from '../common/feature.js';
import { rejectPublicSuffixes } from '../common/public-suffix.js';
import { risk } from '../common/risk.js';
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
          risk(
            'ASEC-C001',
            hosts === false ? 'hosts' : 'hosts.insecureAnyHost',
            hosts === false ? 'is off' : 'is on',
            'DNS rebinding and forged links are possible, unless a proxy checks the host',
            'List the hosts in hosts or ALLOWED_HOSTS.',
          ),
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
