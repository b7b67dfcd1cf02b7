/* The variables that a deployment sets, for .env.example. Copied to .env as they are, they change nothing: empty ones count as not set. */

/** In the order of the README, which a test compares. */
export const VARIABLES: readonly (readonly [name: string, comment: string])[] = [
  ['ALLOWED_HOSTS', 'host names under which clients reach the app, without a scheme: api.example.com'],
  ['TRUST_PROXY', 'proxies whose X-Forwarded-* headers count, networks or a number of hops: 10.0.0.0/24'],
  ['CORS_ORIGINS', 'web origins whose pages may call the API: https://app.example.com'],
  ['REDIS_URL', 'counts that all processes share, needs "npm i ioredis": redis://redis.internal:6379/0'],
  ['AUTH_KEYS_FILE', "agents' API keys: keys.json"],
  ['AUTH_KEY_SECRET', 'the secret of their digests: openssl rand -base64 48'],
];

/** @returns the new text, or `undefined` where every variable is already there, also as a comment */
export function addVariables(existing = ''): string | undefined {
  const eol = existing.includes('\r\n') ? '\r\n' : '\n';
  const assignments = existing.matchAll(/^[# \t]*(?:export[ \t]+)?([A-Z_]+)[ \t]*=/gm);
  const present = new Set([...assignments].map(([, name]) => name));
  const missing = VARIABLES.filter(([name]) => !present.has(name));
  if (missing.length === 0) return undefined;
  const lines = missing.flatMap(([name, comment]) => [`# ${comment}`, `${name}=`]);
  const before = existing === '' || existing.endsWith('\n') ? existing : existing + eol;
  const gap = before === '' ? '' : eol;
  return `${before}${gap}# nestjs-agent-security${eol}${lines.join(eol)}${eol}`;
}
