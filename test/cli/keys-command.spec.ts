import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiKeyVerifier, FileKeyStore, KeyDigests } from '../../src/index.js';
import { runKeysCommand } from '../../src/cli/keys-command.js';
import { ManualClock } from '../support/clock.js';
import { NOW_MS, SECRET } from '../support/keys.js';
import { describeWithRedis, startRedis } from '../support/redis.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'cli-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

async function keys(args: string, env: Record<string, string> = {}): Promise<Run> {
  const lines: Record<'out' | 'err', string[]> = { out: [], err: [] };
  const status = await runKeysCommand(args === '' ? [] : args.split(' '), {
    env: { AUTH_KEY_SECRET: SECRET, AUTH_KEYS_FILE: join(folder, 'keys.json'), ...env },
    nowMs: NOW_MS,
    out: text => void lines.out.push(text),
    err: text => void lines.err.push(text),
  });
  return { status, out: lines.out.join('').trimEnd(), err: lines.err.join('') };
}

const idOf = (key: string): string => key.slice(4, 20);

/** Verifies a key as an app with this file does. */
async function verify(key: string, laterMs = 0): Promise<unknown> {
  const store = new FileKeyStore(join(folder, 'keys.json'));
  const clock = new ManualClock(NOW_MS);
  clock.advance(laterMs);
  await store.open({ warn: () => undefined, revoked: () => undefined });
  const verification = await new ApiKeyVerifier(store, new KeyDigests([SECRET]), 'ask', clock).verify(key);
  store.close();
  return verification.verified ? verification.agent : verification.reason;
}

const DAY = 86_400_000;

describe('keys create', () => {
  it('prints only the key to standard output, and an app accepts it', async () => {
    const options =
      '--scopes data:read,data:write --tier free --tenant acme --tools read_*,run --expires 90d';
    const { status, out, err } = await keys(`keys create bot ${options}`);
    expect([status, out]).toEqual([0, expect.stringMatching(/^ask_\w{16}_\w{49}$/)]);
    expect(err).not.toContain(out);
    expect(readFileSync(join(folder, 'keys.json'), 'utf8')).not.toContain(out.slice(21, 64));
    expect(await verify(out)).toMatchObject({
      id: 'bot',
      scopes: ['data:read', 'data:write'],
      tier: 'free',
      tenant: 'acme',
      tools: ['read_*', 'run'],
    });
    expect(await verify(out, 90 * DAY)).toBe('expired');
  });

  it('accepts times, a subset of the scopes, and another prefix', async () => {
    const { out } = await keys(
      'keys create bot --scopes a,b --key-scopes b --not-before 2030-01-02T00:00:00Z --prefix acme',
    );
    expect(out).toMatch(/^acme_/);
    const { out: json } = await keys('keys list --json');
    expect(JSON.parse(json).keys[0]).toMatchObject({ scopes: ['b'], state: 'not yet valid' });
  });

  it.each([
    ['no secret', 'keys create bot', { AUTH_KEY_SECRET: '' }, 1, 'AUTH_KEY_SECRET must hold'],
    ['a short secret', 'keys create bot', { AUTH_KEY_SECRET: 'short' }, 1, 'at least 32 characters'],
    ['no agent', 'keys create', {}, 2, 'Which agent?'],
    ['a bad span', 'keys create bot --expires 3m', {}, 2, '--expires is not a duration'],
    [
      'a time without zone',
      'keys create bot --expires 2030-01-02T00:00:00',
      {},
      2,
      '--expires is not a time',
    ],
    ['a bad scope', 'keys create bot --scopes a"b', {}, 1, 'has an invalid scope'],
    ['an unknown option', 'keys create bot --scope a', {}, 2, '--scope'],
    ['an unknown command', 'keys destroy', {}, 2, '"destroy"'],
    ['another area', 'secrets list', {}, 2, 'Which command?'],
    ['nothing', '', {}, 2, 'Usage:'],
    ['an unknown key', 'keys revoke nothing', {}, 1, 'There is no key "nothing"'],
    ['--redis without a URL', 'keys list --redis', {}, 2, 'REDIS_URL'],
    ['one argument too many', 'keys create a b', {}, 2, 'Too many arguments: b'],
  ])('rejects %s', async (_title, args, env, status, says) => {
    const run = await keys(args, env as Record<string, string>);
    expect([run.status, run.out]).toEqual([status, '']);
    expect(run.err).toContain(says);
    expect(run.err).not.toContain(SECRET);
  });
});

describe('the other commands', () => {
  it('list shows no secret', async () => {
    const { out: key } = await keys('keys create bot --scopes a');
    const { out } = await keys('keys list');
    expect(out).toBe(`${idOf(key)}\tbot\tlive\tnever expires\ta`);
    const { out: json } = await keys('keys list --json');
    expect(json).not.toContain('digest');
  });

  it('rotate keeps both keys valid for the overlap', async () => {
    const { out: old } = await keys('keys create bot --scopes a');
    const { out: next, status } = await keys(`keys rotate ${idOf(old)} --overlap 1d`);
    expect(status).toBe(0);
    expect(await verify(old)).toMatchObject({ id: 'bot' });
    expect(await verify(next)).toMatchObject({ id: 'bot', scopes: ['a'] });
    expect(await verify(old, DAY)).toBe('expired');
    expect(await verify(next, DAY)).toMatchObject({ id: 'bot' });
  });

  it('revoke rejects one key, disable all keys of an agent', async () => {
    const [{ out: one }, { out: other }] = [await keys('keys create bot'), await keys('keys create bot')];
    await keys(`keys revoke ${idOf(one)}`);
    expect([await verify(one), await verify(other)]).toEqual([
      'revoked',
      expect.objectContaining({ id: 'bot' }),
    ]);
    await keys('keys disable bot');
    expect(await verify(other)).toBe('revoked');
    await keys('keys enable bot');
    expect(await verify(other)).toMatchObject({ id: 'bot' });
    expect(await verify(one)).toBe('revoked');
  });

  it('--help prints the usage', async () => {
    expect(await keys('--help')).toMatchObject({ status: 0, out: expect.stringContaining('Usage:') });
  });
});

describeWithRedis('with --redis', () => {
  it('changes the keys in Redis', async () => {
    const redis = await startRedis();
    const env = { REDIS_URL: redis.url };
    const { out: key, status } = await keys('keys create bot --redis', env);
    expect(status).toBe(0);
    await keys(`keys revoke ${idOf(key)} --redis`, env);
    expect((await keys('keys list --redis', env)).out).toBe(`${idOf(key)}\tbot\trevoked\tnever expires\t-`);
  });
});
