import { isIP } from 'node:net';
import proxyAddr from 'proxy-addr';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { type ReadEnvironment, readInteger, receivedError } from '../common/read-options.js';

/**
 * Which proxies may speak for their clients: what Express's `trust proxy` takes, except `true`.
 * - a number: that many hops in front of the app
 * - addresses and networks, as a list or comma-separated: `'10.0.0.0/8'`, `'loopback'`, `'linklocal'`, `'uniquelocal'`
 * - a function: `(address, hop) => boolean`
 *
 * The trap: `true` would believe every client's own `X-Forwarded-For`, so it is refused; a count that is too high does the
 * same for one position.
 * @default false: the peer's address, forwarding headers ignored (environment: `TRUST_PROXY`)
 */
export type TrustProxyOption = false | number | string | readonly string[] | TrustFunction;

/** Whether the proxy at `address` is trusted, `hop` 0 being the peer. */
export type TrustFunction = (address: string, hop: number) => boolean;

const MAX_HOPS = 32;
const NETWORK_NAMES: ReadonlySet<string> = new Set(['loopback', 'linklocal', 'uniquelocal']);

export function resolveTrustProxy(input: unknown, env: ReadEnvironment): TrustFunction | undefined {
  if (input !== undefined) return readTrust('trustProxy', input);
  const text = env('TRUST_PROXY')?.trim();
  if (!text || text === 'false') return undefined;
  if (text === 'true') return readTrust('TRUST_PROXY', true);
  return readTrust('TRUST_PROXY', /^\d+$/.test(text) ? Number(text) : text);
}

function readTrust(option: string, value: unknown): TrustFunction | undefined {
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
  // Compared with true: the promise of an async function would trust everybody.
  if (typeof value === 'function') return (address, hop) => (value as TrustFunction)(address, hop) === true;
  const networks = typeof value === 'string' ? value.split(',').map(item => item.trim()) : value;
  if (!Array.isArray(networks) || networks.length === 0 || networks.some(item => typeof item !== 'string')) {
    throw trustError(option, value, 'must be false, a number of hops, networks or a function');
  }
  for (const network of networks as string[]) {
    // The compiler below would read "2" as 0.0.0.2, where a count of hops was meant.
    if (isIP(network.split('/')[0]!) === 0 && !NETWORK_NAMES.has(network)) {
      throw trustError(option, network, 'must name networks');
    }
    if (/^\d+\.\d+\.\d+\.\d+\/0$|^0\.0\.0\.0\/|^::\/0$/.test(network) || holdsEveryIPv4(network)) {
      throw trustError(option, network, 'must not name a network of every address');
    }
  }
  try {
    return proxyAddr.compile([...(networks as string[])]);
  } catch {
    // The reason repeats the value.
    throw trustError(option, value, 'is not a list of networks');
  }
}

/** In any spelling, such as `::ffff:0:0/96`: no smaller network holds both of these. */
function holdsEveryIPv4(network: string): boolean {
  try {
    const trusts = proxyAddr.compile(network);
    return trusts('1.0.0.1', 0) && trusts('254.0.0.1', 0);
  } catch {
    return false; // Not a network at all: compiling the whole list says so.
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
