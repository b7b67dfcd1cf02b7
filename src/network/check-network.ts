/* Checks whether a request comes from a network: this machine, private networks, or any. */
import type { IncomingHttpHeaders } from 'node:http';
import ipaddr from 'ipaddr.js';
import { canonicalAddress } from '../common/ip-address.js';
import type { ProblemFields } from '../common/problem.js';
import type { Client } from '../common/request-state.js';

export const NETWORKS = ['loopback', 'private', 'any'] as const;
/**
 * The networks of `mcp.network`: this machine, private networks (RFC 1918, fc00::/7, link-local) or any.
 * @example mcp: { path: '/mcp', network: 'private' }
 */
export type Network = (typeof NETWORKS)[number];

/** Does not name the allowed networks. */
export const NETWORK_PROBLEM: ProblemFields = {
  status: 403,
  code: 'network_not_allowed',
  detail: 'Requests from the network of the client are not allowed.',
};

/**
 * False for a request with forwarded headers, unless trusted proxies reported its client: the address may be that of an untrusted proxy,
 * whose clients can be anywhere.
 */
export function isFromNetwork(client: Client, headers: IncomingHttpHeaders, network: Network): boolean {
  if (network === 'any') return true;
  return isWithin(rangeOf(client.address), network) && (client.isFromTrustedProxy || !isForwarded(headers));
}

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

function isForwarded(headers: IncomingHttpHeaders): boolean {
  for (const name in headers) if (name.startsWith('x-forwarded') || FORWARDED_HEADERS.has(name)) return true;
  return false;
}

const PRIVATE_RANGES: ReadonlySet<string> = new Set(['loopback', 'private', 'uniqueLocal', 'linkLocal']);

export function isWithin(range: string | undefined, network: Exclude<Network, 'any'>): boolean {
  return network === 'private' ? PRIVATE_RANGES.has(range ?? '') : range === 'loopback';
}

/** The range of an address in the registries of RFC 6890; `undefined` for text that is no address. */
export function rangeOf(address: string): string | undefined {
  const canonical = canonicalAddress(address);
  return canonical && ipaddr.parse(canonical).range();
}
