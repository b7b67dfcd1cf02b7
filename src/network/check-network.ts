/* Whether a request comes from a network. The address alone does not tell: it may be that of a proxy that nobody named as trusted, whose
 * clients are anywhere. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Client } from '../common/request-state.js';
import { isWithin, type Network } from './address-range.js';

/**
 * What proxies add, beside all that begins with `X-Forwarded`: RFC 7239, RFC 9110 section 7.6.3 (`Via`), RFC 8586 (`CDN-Loop`), and the names that
 * servers and CDNs have for the client's address.
 */
const FORWARDING_FIELDS: ReadonlySet<string> = new Set([
  'cdn-loop',
  'cf-connecting-ip',
  'client-ip',
  'do-connecting-ip',
  'fastly-client-ip',
  'fly-client-ip',
  'forwarded',
  'forwarded-for',
  'true-client-ip',
  'via',
  'x-appengine-user-ip',
  'x-azure-clientip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-envoy-external-address',
  'x-original-forwarded-for',
  'x-real-ip',
]);

/** Rejects a client that forwards for others, unless trusted proxies name it as the one that asks. */
export function isFromNetwork(client: Client, headers: IncomingHttpHeaders, network: Network): boolean {
  if (network === 'any') return true;
  return isWithin(client.address, network) && (client.isFromTrustedProxy || !isForwarded(headers));
}

function isForwarded(headers: IncomingHttpHeaders): boolean {
  for (const name in headers) if (name.startsWith('x-forwarded') || FORWARDING_FIELDS.has(name)) return true;
  return false;
}
