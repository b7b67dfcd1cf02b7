/* The networks of `trustProxy` as one function. Every request with forwarded headers asks it about its hops, so addresses in the
 * dotted-quad form, which nearly all proxies have, are compared as integers. proxy-addr decides about the others. */
import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import proxyAddr from 'proxy-addr';
import { canonicalAddress, readIPv4 } from '../common/ip-address.js';
import type { TrustFunction } from './read-trust.js';

/** The IPv4 networks of proxy-addr's names. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8'],
  linklocal: ['169.254.0.0/16'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
};

export const NETWORK_NAMES: ReadonlySet<string> = new Set(Object.keys(NAMED));

interface Network {
  readonly bits: number;
  readonly mask: number;
}

/** @throws TypeError for text that is no network */
export function compileNetworks(networks: readonly string[]): TrustFunction {
  const general = proxyAddr.compile([...networks]);
  const spelled = networks.flatMap(network => NAMED[network] ?? network);
  if (spelled.some(containsMapped)) return general;
  const ipv4 = spelled.filter(network => isIPv4(addressOf(network))).map(readNetwork);
  return (address, hop) => {
    const bits = readIPv4(address);
    if (bits === undefined) return general(address, hop);
    for (const network of ipv4) if (((bits ^ network.bits) & network.mask) === 0) return true;
    return false;
  };
}

const addressOf = (network: string): string => network.split('/')[0]!;

/** Whether it is an IPv6 network of IPv4 addresses: `::ffff:10.0.0.0/104`. */
const containsMapped = (network: string): boolean =>
  network.includes(':') && canonicalAddress(addressOf(network))?.includes(':') !== true;

function readNetwork(network: string): Network {
  const [address, range = '32'] = network.split('/') as [string, string?];
  const length = /^\d+$/.test(range) ? Number(range) : ipaddr.IPv4.parse(range).prefixLengthFromSubnetMask()!;
  return { bits: readIPv4(address)!, mask: -1 << (32 - length) };
}
