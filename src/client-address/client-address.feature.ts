import type { Feature } from '../common/feature.js';
import { isRecord } from '../common/read-options.js';
import { type ResolvedTrustProxy, resolveTrustProxy } from './client-address.options.js';

/** What the options named, for the start-up summary. */
const NAMED = new WeakMap<ResolvedTrustProxy, string>();

export const TRUST_PROXY: Feature<'trustProxy', ResolvedTrustProxy | undefined> = {
  key: 'trustProxy',
  resolve: (input, env) => {
    const trust = resolveTrustProxy(input, env);
    if (trust !== undefined)
      NAMED.set(trust, nameProxies(isRecord(input) ? input['proxies'] : input, env('TRUST_PROXY')));
    return trust;
  },
  summarize: trust => ({
    text: `trusted proxies: ${trust === undefined ? 'none (forwarded headers are ignored)' : (NAMED.get(trust) ?? 'named')}`,
  }),
};

function nameProxies(named: unknown, variable: string | undefined): string {
  const input = named ?? variable;
  if (typeof input === 'function') return 'by a function';
  if (typeof input === 'object') return (input as readonly string[]).join(', ');
  return /^\d+$/.test(String(input)) ? `the nearest ${String(input)}` : String(input);
}
