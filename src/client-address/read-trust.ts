/* Reads which proxies are trusted: a number of hops, networks or a function. */
import { isIP } from 'node:net';
import proxyAddr from 'proxy-addr';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { readInteger, receivedError } from '../common/read-options.js';
import { compileNetworks, NETWORK_NAMES } from './trusted-networks.js';

/**
 * Returns whether the proxy at `address` is trusted; `hop` 0 is the peer of the connection.
 * @example
 * const trustProxy: TrustFunction = address => address.startsWith('10.');
 */
export type TrustFunction = (address: string, hop: number) => boolean;

const MAX_HOPS = 32;

export function readTrust(option: string, value: unknown): TrustFunction | undefined {
  if (value === false) return undefined;
  if (value === true) {
    throw new AgentSecurityConfigError(
      'ASEC_TRUST_ALL',
      option,
      'must not be true: every client could then choose its own address',
      'Name the proxies ("10.0.0.0/8", "loopback") or count the hops (1).',
    );
  }
  if (typeof value === 'number') {
    const hops = readInteger(option, value, 0, { min: 0, max: MAX_HOPS });
    return hops === 0 ? undefined : (_address, hop) => hop < hops;
  }
  // Compared with true: the promise of an async function would trust every address.
  if (typeof value === 'function') return (address, hop) => (value as TrustFunction)(address, hop) === true;
  const networks = typeof value === 'string' ? value.split(',').map(item => item.trim()) : value;
  if (!Array.isArray(networks) || networks.length === 0 || networks.some(item => typeof item !== 'string')) {
    throw trustError(option, value, 'must be false, a number of hops, networks or a function');
  }
  for (const network of networks as string[]) {
    // proxy-addr would read "2" as 0.0.0.2, where a number of hops was meant.
    if (isIP(network.split('/')[0]!) === 0 && !NETWORK_NAMES.has(network)) {
      throw trustError(option, network, 'must name networks');
    }
    if (/^\d+\.\d+\.\d+\.\d+\/0$|^0\.0\.0\.0\/|^::\/0$/.test(network) || containsEveryIPv4(network)) {
      throw trustError(option, network, 'must not name a network of every address');
    }
  }
  try {
    return compileNetworks(networks as string[]);
  } catch {
    // The message of proxy-addr repeats the value, which the error shows already.
    throw trustError(option, value, 'is not a list of networks');
  }
}

/** Whether a network contains all IPv4 addresses, in any spelling (`::ffff:0:0/96`): no smaller network contains both of these. */
function containsEveryIPv4(network: string): boolean {
  try {
    const trusts = proxyAddr.compile(network);
    return trusts('1.0.0.1', 0) && trusts('254.0.0.1', 0);
  } catch {
    return false; // Not a network: compiling the whole list reports it.
  }
}

function trustError(option: string, value: unknown, problem: string): AgentSecurityConfigError {
  return receivedError(
    'ASEC_TRUST_INVALID',
    option,
    problem,
    'Write for example "loopback", ["10.0.0.0/8", "fd00::/8"] or 1.',
    value,
  );
}
