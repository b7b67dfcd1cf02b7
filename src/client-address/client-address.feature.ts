import type { Feature } from '../common/feature.js';
import { isRecord } from '../common/read-options.js';
import { type ResolvedTrustProxy, resolveTrustProxy } from './client-address.options.js';

export interface NamedTrustProxy extends ResolvedTrustProxy {
  /** As the options wrote it. */
  readonly named: string;
}

export const TRUST_PROXY: Feature<'trustProxy', NamedTrustProxy | undefined> = {
  key: 'trustProxy',
  resolve: (input, env) => {
    const trust = resolveTrustProxy(input, env);
    const proxies = isRecord(input) ? input['proxies'] : input;
    return trust && { ...trust, named: nameProxies(proxies, env('TRUST_PROXY')) };
  },
  summarize: trust => ({
    text: `trusted proxies: ${trust === undefined ? 'none (forwarded headers are ignored)' : trust.named}`,
  }),
};

function nameProxies(named: unknown, variable: string | undefined): string {
  const input = named ?? variable;
  if (typeof input === 'function') return 'by a function';
  if (typeof input === 'object') return (input as readonly string[]).join(', ');
  return /^\d+$/.test(String(input)) ? `the nearest ${String(input)}` : String(input);
}
