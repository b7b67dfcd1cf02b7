/* Checks whether a request comes from a network. The address is not enough: it may be that of an untrusted proxy, whose
 * clients can be anywhere. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Client } from '../common/request-state.js';
import { isWithin, type Network } from './address-range.js';

/**
 * Headers that proxies add, beside those that begin with `X-Forwarded`: RFC 7239, RFC 9110 section 7.6.3 (`Via`), RFC
 * 8586 (`CDN-Loop`), and the names of the client's address in servers and CDNs.
 */
const FORWARDED_HEADERS: ReadonlySet<string> = new Set([
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

/** False for a request with forwarded headers, unless trusted proxies reported its client. */
export function isFromNetwork(client: Client, headers: IncomingHttpHeaders, network: Network): boolean {
  if (network === 'any') return true;
  return isWithin(client.address, network) && (client.isFromTrustedProxy || !isForwarded(headers));
}

function isForwarded(headers: IncomingHttpHeaders): boolean {
  for (const name in headers) if (name.startsWith('x-forwarded') || FORWARDED_HEADERS.has(name)) return true;
  return false;
}
