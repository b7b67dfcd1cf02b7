/* Addresses in canonical form, for limits and logs: IPv4-mapped IPv6 as IPv4, IPv6 by its /64. A home or a cloud
 * machine owns a whole /64, so limits per IPv6 address would give each client 2^64 quotas. */
import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The canonical form of an address, without its zone; `undefined` for text that is no address. */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  const bare = withoutZone(text);
  if (!isIPv6(bare)) return undefined;
  const parsed = ipaddr.IPv6.parse(bare);
  return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : parsed.toString();
}

/** The block of addresses that share a quota with `text`: `"203.0.113.7"`, or `"2001:db8:1:2::/64"`. */
export function addressBlock(text: string): string {
  const canonical = canonicalAddress(text);
  if (canonical === undefined || isIPv4(canonical)) return canonical ?? text;
  const [a, b, c, d] = ipaddr.IPv6.parse(canonical).parts as [number, number, number, number];
  return `${new ipaddr.IPv6([a, b, c, d, 0, 0, 0, 0]).toString()}/64`;
}

/** A 64-bit partition key as two signed 32-bit numbers, which V8 stores without an allocation each. */
export interface Key64 {
  readonly hi: number;
  readonly lo: number;
}

/** The key of quotas that all clients share, and of clients without an address. */
export const SHARED_KEY: Key64 = { hi: -1, lo: -1 };

/** IPv4 keys use 0000:ffff::/32, where no IPv6 prefix is assigned, so that the two families never share a key. */
const IPV4_PREFIX = 0x0000ffff;

/** The numeric form of {@link addressBlock}, exact: two blocks never share a key. `undefined` for no address. */
export function addressKey(text: string): Key64 | undefined {
  const ipv4 = readIPv4(text);
  if (ipv4 !== undefined) return keyOfIPv4(ipv4);
  const canonical = canonicalAddress(text);
  if (canonical === undefined) return undefined;
  if (!canonical.includes(':')) return keyOfIPv4(readIPv4(canonical)!);
  const [a, b, c, d] = ipaddr.IPv6.parse(canonical).parts as [number, number, number, number];
  return { hi: (a << 16) | b, lo: (c << 16) | d };
}

/** The {@link addressKey} of the 32 bits of an IPv4 address. */
export const keyOfIPv4 = (bits: number): Key64 => ({ hi: IPV4_PREFIX, lo: bits });

/** The 32 bits of a dotted quad. It runs for every request, so it reads the text once and allocates nothing. */
export function readIPv4(text: string): number | undefined {
  if (text.length > 15) return undefined;
  let address = 0;
  let octet = -1;
  let dots = 0;
  for (let index = 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit >= 0 && digit <= 9) {
      if (octet === 0) return undefined;
      octet = octet === -1 ? digit : octet * 10 + digit;
      if (octet > 255) return undefined;
    } else if (digit === -2 && octet !== -1 && dots < 3) {
      address = (address << 8) | octet;
      octet = -1;
      dots++;
    } else {
      return undefined;
    }
  }
  return dots === 3 && octet !== -1 ? (address << 8) | octet : undefined;
}

function withoutZone(text: string): string {
  const zone = text.indexOf('%');
  return zone === -1 ? text : text.slice(0, zone);
}
