import { isIP } from 'node:net';
import proxyAddr from 'proxy-addr';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { asGiven, type OptionTable, optional, readTable } from '../common/option-table.js';
import {
  isRecord,
  readChoice,
  type ReadEnvironment,
  readInteger,
  readListVariable,
  receivedError,
} from '../common/read-options.js';

/** The headers in which proxies write the client's address: one of their own (RFC 7239), and the older `X-Forwarded-For`. */
export const FORWARDED_HEADERS = ['X-Forwarded-For', 'Forwarded'] as const;
export type ForwardedHeader = (typeof FORWARDED_HEADERS)[number];

/**
 * The trusted proxies, whose forwarded headers (`X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`,
 * `Forwarded`) are read. Takes the values of Express's `trust proxy`, except `true`:
 * - a number from 0 to 32: the number of proxies in front of the app
 * - addresses and networks, as a list or comma-separated: `'10.0.0.0/8'`, `'loopback'`, `'linklocal'`, `'uniquelocal'`
 * - a function: `(address, hop) => boolean`
 *
 * `true` is rejected, since every client could choose its own address with `X-Forwarded-For`. Danger: with a number
 * that is too high, clients can do the same. An object names the header that the proxies write, too.
 * @default false: the address of the peer; forwarded headers are ignored (environment: `TRUST_PROXY`)
 * @example
 * AgentSecurityModule.forRoot({ trustProxy: ['loopback', '10.0.0.0/8'] })
 */
export type TrustProxyOption = TrustedProxies | TrustProxyOptions;

/**
 * The trusted proxies alone.
 * @example
 * const proxies: TrustedProxies = ['loopback', '10.0.0.0/8'];
 */
export type TrustedProxies = false | number | string | readonly string[] | TrustFunction;

/**
 * The long form of `trustProxy`.
 * @example
 * AgentSecurityModule.forRoot({ trustProxy: { proxies: '10.0.0.0/16', header: 'X-Forwarded-For' } })
 */
export interface TrustProxyOptions {
  /**
   * The trusted proxies. Environment: `TRUST_PROXY`.
   * @default false
   */
  proxies?: TrustedProxies;
  /**
   * The header that the proxies write: `'X-Forwarded-For'`, with `X-Forwarded-Proto` and `X-Forwarded-Host`, or `'Forwarded'`. The others
   * are ignored. For proxies that write both differently (AWS HTTP API), or pass one on as the client sent it.
   * @default both are read; where they name different clients, neither counts and the log says so
   * @see RFC 7239
   */
  header?: 'X-Forwarded-For' | 'Forwarded';
}

export interface ResolvedTrustProxy {
  readonly trusts: TrustFunction;
  readonly header: ForwardedHeader | undefined;
}

/**
 * Returns whether the proxy at `address` is trusted; `hop` 0 is the peer of the connection.
 * @example
 * const trustProxy: TrustFunction = address => address.startsWith('10.');
 */
export type TrustFunction = (address: string, hop: number) => boolean;

const MAX_HOPS = 32;
const NETWORK_NAMES: ReadonlySet<string> = new Set(['loopback', 'linklocal', 'uniquelocal']);

const TABLE = {
  proxies: asGiven,
  header: optional((option, value) => readChoice(option, value, FORWARDED_HEADERS, 'Forwarded')),
} satisfies OptionTable<TrustProxyOptions>;

export function resolveTrustProxy(input: unknown, env: ReadEnvironment): ResolvedTrustProxy | undefined {
  const isObject = isRecord(input);
  const { proxies, header } = isObject ? readTable('trustProxy', input, TABLE) : { proxies: input };
  const trusts =
    proxies === undefined
      ? readTrustVariable(env)
      : readTrust(isObject ? 'trustProxy.proxies' : 'trustProxy', proxies);
  return trusts && { trusts, header };
}

function readTrustVariable(env: ReadEnvironment): TrustFunction | undefined {
  const text = env('TRUST_PROXY')?.trim();
  if (!text || text === 'false') return undefined;
  if (text === 'true') return readTrust('TRUST_PROXY', true);
  return readTrust('TRUST_PROXY', /^\d+$/.test(text) ? Number(text) : readListVariable(env, 'TRUST_PROXY'));
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
    return proxyAddr.compile([...(networks as string[])]);
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
