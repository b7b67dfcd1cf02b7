import type { Feature } from '../common/feature.js';
import { resolveTrustProxy, type TrustFunction } from './client-address.options.js';

/** What the options named, for the start-up summary. */
const NAMED = new WeakMap<TrustFunction, string>();

export const TRUST_PROXY: Feature<'trustProxy', TrustFunction | undefined> = {
  key: 'trustProxy',
  resolve: (input, env) => {
    const trust = resolveTrustProxy(input, env);
    if (trust !== undefined) NAMED.set(trust, nameProxies(input ?? env('TRUST_PROXY')));
    return trust;
  },
  summarize: trust => ({
    text: `trusted proxies: ${trust === undefined ? 'none (forwarded headers are ignored)' : (NAMED.get(trust) ?? 'named')}`,
  }),
};

function nameProxies(input: unknown): string {
  if (typeof input === 'function') return 'by a function';
  if (typeof input === 'object') return (input as readonly string[]).join(', ');
  return /^\d+$/.test(String(input)) ? `the nearest ${String(input)}` : String(input);
}
