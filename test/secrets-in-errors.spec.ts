/* No secret in an option, misspelt or well spelt, appears in an error, its stack, or a log. */
import { inspect } from 'node:util';
import { AgentSecurityConfigError } from '../src/common/config-error.js';
import { resolveOptions } from '../src/resolve-options.js';
import { looksSecret, show, showName } from '../src/common/show-value.js';
import { CapturingLogger } from './support/logger.js';
import { ManualClock } from './support/clock.js';
import { findOptionKeys, thrownBy } from './support/option-keys.js';
import { OPTION_ROOTS } from './support/option-roots.js';
import { expectToFinish } from './support/expect-to-finish.js';
import { PLATFORMS } from './support/platforms.js';
import { createApp } from './support/start.js';

/** Each holds the mark, so that any part of it that is shown is found. */
const MARK = 'q7Zx81kq0vTgL4mWc9RdY7';
const SECRETS: Readonly<Record<string, string>> = {
  'a random text': MARK,
  'an API key': `ask_${MARK}_${MARK}${MARK}`,
  'a URL with a password': `redis://user:${MARK.slice(0, 8)}@10.0.0.1:6379/0`,
  'a private key': `-----BEGIN PRIVATE KEY-----\n${MARK}\n-----END PRIVATE KEY-----`,
  'an Authorization header': `Bearer ${MARK.slice(0, 8)}`,
  'a connection string': `Server=db;Password=${MARK.slice(0, 8)}`,
};
const FOUND = MARK.slice(0, 8);
/** One for each way in which a value is known for a secret. */
const SHORT_LIST = ['a random text', 'a URL with a password', 'a private key'].map(name => SECRETS[name]!);

class Vault {
  readonly password = MARK;
}

/** A secret in every kind of value. */
const shapesOf = (secret: string): unknown[] => [
  secret,
  [secret],
  [[secret]],
  { secret },
  [{ secret }],
  { [secret]: [secret] },
  new Vault(),
  Object.assign(() => secret, { secret }),
  new Map([[secret, secret]]),
  Buffer.from(secret),
  new Error(secret),
  new URL(`https://user:${FOUND}@a.test`),
];

/** Everything of an error that may be printed. */
function printed(thrown: unknown): string {
  if (thrown === undefined) return '';
  const { message, stack, option } = thrown as AgentSecurityConfigError;
  return [
    message,
    stack,
    option,
    String(thrown),
    JSON.stringify(thrown),
    inspect(thrown, { depth: 10 }),
  ].join('\n');
}

// The frames of a stack hold no value, and mapping them to sources costs more than all the rest.
const { stackTraceLimit } = Error;
beforeAll(() => (Error.stackTraceLimit = 0));
afterAll(() => (Error.stackTraceLimit = stackTraceLimit));

const KEYS = OPTION_ROOTS.flatMap(root => findOptionKeys(root).map(key => [key.path, root, key] as const));

it.each(KEYS)('shows no secret in %s, well spelt or misspelt', (path, root, key) => {
  const name = path.split('.').at(-1)!;
  const leaks = SHORT_LIST.flatMap(secret =>
    [
      ...shapesOf(secret).map(value => key.with(value)),
      ...[`${name}s`, name.slice(0, -1), `my${name}`, secret].map(other => key.misspelt(other, secret)),
      key.misspelt(`${name}s`, { secret }),
    ].filter(options => printed(thrownBy(() => root.read(options))).includes(FOUND)),
  );
  expect(leaks).toEqual([]);
});

describe.each(Object.entries(SECRETS))('%s', (_name, secret) => {
  it('is not shown in place of all options', () => {
    for (const root of OPTION_ROOTS) {
      for (const value of shapesOf(secret))
        expect(printed(thrownBy(() => root.read(value)))).not.toContain(FOUND);
    }
  });

  it('is not shown in an environment variable', () => {
    const read = new Set<string>();
    resolveOptions({}, variable => void read.add(variable) as undefined);
    thrownBy(() => resolveOptions({ auth: true }, variable => void read.add(variable) as undefined));
    expect(read.size).toBeGreaterThan(10);
    for (const variable of read) {
      for (const auth of [false, true]) {
        const read = (name: string): string | undefined => (name === variable ? secret : undefined);
        expect(printed(thrownBy(() => resolveOptions({ auth }, read)))).not.toContain(FOUND);
      }
    }
  });
});

describe.each(PLATFORMS)('a start-up that stops on %s', (_title, platform) => {
  it.each<[string, object]>([
    ['auth.apiKeys.secrets', { auth: { apiKeys: { secrets: MARK } } }],
    ['audit.secret', { audit: { secret: MARK } }],
    ['rateLimit.redisUrl', { rateLimit: { redisUrl: `redis://u:${FOUND}@10.0.0.1` } }],
    ['mcp.proxyProof.secret', { mcp: { proxyProof: { secret: MARK } } }],
  ])('logs nothing of the value of %s', async (option, options) => {
    const logger = new CapturingLogger();
    const security = { options: options as never };
    const starting = createApp(platform, security, logger, new ManualClock());
    const error: unknown = await starting.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ASEC_OPTION_UNKNOWN', option });
    expect(`${logger.text}${printed(error)}`).not.toContain(FOUND);
  });
});

describe('what looks like a secret', () => {
  it.each(Object.values(SECRETS))('%s', secret => expect(looksSecret(secret)).toBe(true));

  it.each([
    'https://api.example.com/x',
    '[::1]:8443',
    '10/minute, 100/hour',
    'script-src',
    'my-service.internal.example.com:8443',
    '*.eu-central-1.compute.internal',
    '/.well-known/csp-reports',
    '10.0.0.0/8',
    'no-referrer-when-downgrade',
    'every_tool_of_the_reporting_department',
  ])('not %s, which an error shows', text => expect(show(text, 'hosts[0]')).toBe(`"${text}"`));

  it('is decided by the name of the option as well', () => {
    for (const name of ['audit.key', 'auth.apiKeys.secret', 'x.secrets[0]', 'AUTH_KEY_SECRET', 'db.password'])
      expect(show('hunter2', name)).toBe('a text of 7 characters (not shown, since it may be a secret)');
    expect(show(5, 'body.maxKeys')).toBe('5');
  });

  it('is decided in time that grows with the text alone', () => {
    for (const text of [
      'a:'.repeat(100_000),
      'x'.repeat(1_000_000),
      ':@'.repeat(100_000),
      '-----'.repeat(100_000),
    ]) {
      expectToFinish(() => {
        looksSecret(text);
        showName(text);
      });
    }
  });
});
