/* Checks whether a request comes from a network. The address is not enough: it may be that of an untrusted proxy, whose
 * clients can be anywhere. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Client } from '../common/request-state.js';
import ipaddr from 'ipaddr.js';
import { canonicalAddress } from '../common/ip-address.js';
import type { ProblemFields } from '../common/problem.js';
import type { AddressInfo, Server } from 'node:net';
import { AgentSecurityConfigError } from '../common/config-error.js';

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

/* Classifies an address: loopback, a private network, or the internet (the registries of RFC 6890, from ipaddr.js). */

export const NETWORKS = ['loopback', 'private', 'any'] as const;
/**
 * The networks of `mcp.network`: this machine, private networks (RFC 1918, fc00::/7, link-local) or any.
 * @example mcp: { path: '/mcp', network: 'private' }
 */
export type Network = (typeof NETWORKS)[number];

const PRIVATE_RANGES: ReadonlySet<string> = new Set(['private', 'uniqueLocal', 'linkLocal']);

/** Whether `address` belongs to `network`. Text that is no address belongs to `any` only. */
export function isWithin(address: string, network: Network): boolean {
  if (network === 'any') return true;
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return false;
  const range = ipaddr.parse(canonical).range();
  return range === 'loopback' || (network === 'private' && PRIVATE_RANGES.has(range));
}

/**
 * Whether a server that only `network` may reach can listen on `address`. `0.0.0.0` and `::` are all addresses of the
 * machine: allowed for a private network, since each request is checked too, and not for loopback.
 */
function mayListenOn(address: string, network: Network): boolean {
  const canonical = canonicalAddress(address);
  if (network === 'private' && canonical !== undefined && ipaddr.parse(canonical).range() === 'unspecified')
    return true;
  return isWithin(address, network);
}

/** Does not name the allowed networks. */
export const NETWORK_PROBLEM: ProblemFields = {
  status: 403,
  code: 'network_not_allowed',
  detail: 'Requests from the network of the client are not allowed.',
};

/**
 * Stops a server that listens on an address outside `network`. The bound address counts, since the name passed to
 * `listen()` may resolve to any address. A Unix domain socket belongs to this machine.
 */
export function guardListening(server: Server, network: Network): void {
  if (network === 'any') return;
  server.prependListener('listening', () => {
    const bound = server.address();
    if (bound === null || typeof bound === 'string' || mayListenOn(bound.address, network)) return;
    server.emit('error', listeningError(bound, network));
    // After the other listeners of this event, which read the address. No connection has been accepted yet.
    process.nextTick(() => server.close());
  });
}

function listeningError({ address }: AddressInfo, network: Network): AgentSecurityConfigError {
  return new AgentSecurityConfigError(
    'ASEC_MCP_NETWORK',
    'mcp.network',
    `is ${JSON.stringify(network)}, and the server listens on ${address}`,
    "Listen on the loopback address: app.listen(port, '127.0.0.1'). Or set mcp.network to the networks that may connect.",
    address,
  );
}
