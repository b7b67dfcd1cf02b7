import { asGiven, type OptionTable, optional, readTable } from '../common/option-table.js';
import { isRecord, readChoice, type ReadEnvironment, readListVariable } from '../common/read-options.js';
import { readTrust, type TrustFunction } from './read-trust.js';

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
  /** Whether the same address always gets the same answer, so that it can be kept; unlike those of a function of the app. */
  readonly isFixed?: boolean;
  readonly header: ForwardedHeader | undefined;
}

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
  return trusts && { trusts, isFixed: typeof proxies !== 'function', header };
}

function readTrustVariable(env: ReadEnvironment): TrustFunction | undefined {
  const text = env('TRUST_PROXY')?.trim();
  if (!text || text === 'false') return undefined;
  if (text === 'true') return readTrust('TRUST_PROXY', true);
  return readTrust('TRUST_PROXY', /^\d+$/.test(text) ? Number(text) : readListVariable(env, 'TRUST_PROXY'));
}
