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
  throw new AgentSecurityConfigError(
    'ASEC_OPTION_TYPE',
    option,
    'is not the URL of a Redis server (not shown, since it may hold a password)',
    'Write redis://host:6379/0 or rediss://user:password@host:6380; percent-encode special characters of a password.',
  );
}

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
