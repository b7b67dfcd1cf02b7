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
  const colon = Math.max(0, text.indexOf(':'));
  const [scheme, rest] = [text.slice(0, colon).toLowerCase(), text.slice(colon + 1)];
  const [, problem, remedy] = KINDS.find(([isKind]) => isKind(scheme, rest))!;
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
const KINDS: readonly (readonly [
  isKind: (scheme: string, rest: string) => boolean,
  problem: string,
  remedy: string,
])[] = [
  [
    scheme => scheme.includes('sentinel'),
    'names Sentinels, which no URL of one server can',
    `${OWN_CLIENT} new Redis({ sentinels: [{ host, port }], name }).`,
  ],
  [
    // A comma in front of the path, and behind a password.
    (scheme, rest) => scheme.includes('cluster') || authorityOf(rest).includes(','),
    'names several servers, and must name one',
    `${OWN_CLIENT} new Cluster([{ host, port }]), or new Redis({ sentinels, name }).`,
  ],
  [
    scheme => scheme === 'valkey' || scheme === 'valkeys',
    'has the scheme of Valkey',
    'Write redis:// or, for TLS, rediss://: Valkey speaks the protocol of Redis.',
  ],
  [
    () => true,
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

/** Hosts and ports: what stands between `//` with an optional password and the path. */
function authorityOf(rest: string): string {
  if (!rest.startsWith('//')) return '';
  const [authority = ''] = rest.slice(2).split('/', 1);
  return authority.slice(authority.lastIndexOf('@') + 1);
}
