/* Checks the URL of the Redis server before a connection is opened. */
import { AgentSecurityConfigError } from './config-error.js';
import type { ReadEnvironment } from './read-options.js';

/** The URL in `REDIS_URL`, if it is set. @throws AgentSecurityConfigError for an invalid URL */
export function readRedisUrl(env: ReadEnvironment): string | undefined {
  const text = env('REDIS_URL')?.trim();
  if (!text) return undefined;
  checkRedisUrl('REDIS_URL', text);
  return text;
}

/** The message does not show the URL, since it may contain a password. */
export function checkRedisUrl(option: string, text: string): void {
  if (isRedisUrl(text)) return;
  const [, problem, remedy] = KINDS.find(([pattern]) => pattern.test(text))!;
  throw new AgentSecurityConfigError(
    'ASEC_OPTION_TYPE',
    option,
    `${problem} (not shown, since it may hold a password)`,
    remedy,
  );
}

const OWN_CLIENT =
  'Pass a client of your own to RedisQuotaStore (rateLimit.store) or RedisKeyStore (auth.apiKeys.store):';

/** What the text may be instead, and what to do about it. The last matches everything. */
const KINDS: readonly (readonly [pattern: RegExp, problem: string, remedy: string])[] = [
  [
    /^[\w+-]*sentinel[\w+-]*:/i,
    'names Sentinels, which no URL of one server can',
    `${OWN_CLIENT} new Redis({ sentinels: [{ host, port }], name }).`,
  ],
  [
    /^[\w+-]*cluster[\w+-]*:|^[\w+-]+:\/\/(?:[^/]*@)?[^/@]*,/i,
    'names several servers, and must name one',
    `${OWN_CLIENT} new Cluster([{ host, port }]), or new Redis({ sentinels, name }).`,
  ],
  [
    /^valkeys?:/i,
    'has the scheme of Valkey',
    'Write redis:// or, for TLS, rediss://: Valkey speaks the protocol of Redis.',
  ],
  [
    /(?:)/,
    'is not the URL of a Redis server',
    'Write redis://host:6379/0 or rediss://user:password@host:6380; percent-encode special characters of a password.',
  ],
];

function isRedisUrl(text: string): boolean {
  let url: URL;
  try {
    url = new URL(text);
    decodeURIComponent(url.username);
    decodeURIComponent(url.password);
  } catch {
    return false;
  }
  return (
    /^rediss?:$/.test(url.protocol) &&
    url.hostname !== '' &&
    url.hash === '' &&
    /^\/?\d{0,5}$/.test(url.pathname)
  );
}
