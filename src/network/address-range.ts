/* Classifies an address: loopback, a private network, or the internet (the registries of RFC 6890, from ipaddr.js). */
import ipaddr from 'ipaddr.js';
import { canonicalAddress } from '../common/ip-address.js';

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
export function mayListenOn(address: string, network: Network): boolean {
  const canonical = canonicalAddress(address);
  if (network === 'private' && canonical !== undefined && ipaddr.parse(canonical).range() === 'unspecified')
    return true;
  return isWithin(address, network);
}
