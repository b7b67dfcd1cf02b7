/* How far an address is: this machine, a private network, or the internet (the registries of RFC 6890, as ipaddr.js has them). */
import ipaddr from 'ipaddr.js';
import { canonicalAddress } from '../common/ip-address.js';

export const NETWORKS = ['loopback', 'private', 'any'] as const;
export type Network = (typeof NETWORKS)[number];

const PRIVATE_RANGES: ReadonlySet<string> = new Set(['private', 'uniqueLocal', 'linkLocal']);

/** Whether `address` belongs to `network`. Text that is no address (a socket without one) belongs to none but `any`. */
export function isWithin(address: string, network: Network): boolean {
  if (network === 'any') return true;
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return false;
  const range = ipaddr.parse(canonical).range();
  return range === 'loopback' || (network === 'private' && PRIVATE_RANGES.has(range));
}

/**
 * Whether a server may listen on `address` when only `network` is to reach it. `0.0.0.0` and `::` are every address of the machine: of
 * those, a private network may be meant, and each request is checked by itself; loopback cannot be.
 */
export function mayListenOn(address: string, network: Network): boolean {
  const canonical = canonicalAddress(address);
  if (network === 'private' && canonical !== undefined && ipaddr.parse(canonical).range() === 'unspecified')
    return true;
  return isWithin(address, network);
}
