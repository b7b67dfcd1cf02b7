/* The abuse fuzzer. Hostile connections against every kind of endpoint of an app in a process of its own. After each round: the process
 * lives, every tool call that ran has exactly one audit outcome, no connection, stream, concurrency lease or audit reservation is left,
 * and memory is back at its level. `ABUSE_REQUESTS` sets how many requests are sent, `ABUSE_SEED` repeats a run. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { addKey, EMPTY_BOOK } from '../../src/index.js';
import { abuseOnce, type AbuseTarget, Random } from '../support/abuse/client.js';
import { request } from '../support/http.js';
import { digests, SECRET } from '../support/keys.js';

const ROOT = join(__dirname, '..', '..');
const REQUESTS = Number(process.env.ABUSE_REQUESTS ?? 10_000) / 2;
const SEED = Number(process.env.ABUSE_SEED ?? 1);
const ROUNDS = 5;
const SOCKETS = 48;
/** What V8 may keep for itself between two rounds. */
const MAX_GROWTH_BYTES = 8 * 1_048_576;

interface Result {
  readonly calls: number;
  readonly found: readonly string[];
  readonly faults: readonly string[];
  readonly heapBytes: number;
  readonly resources: number;
}

beforeAll(() => {
  execFileSync(
    process.execPath,
    [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', 'tsconfig.build.json'],
    { cwd: ROOT, stdio: 'inherit' },
  );
}, 120_000);

let child: ChildProcess | undefined;
afterEach(() => void child?.kill('SIGKILL'));

const { book, key } = addKey(EMPTY_BOOK, 'bot', { scopes: [] }, digests, {
  prefix: 'ask',
  nowMs: Date.now(),
});

async function ask<T>(message: string): Promise<T> {
  child!.send(message);
  const [answer] = (await once(child!, 'message')) as [T];
  return answer;
}

/** Sends hostile connections, so many at once, until so many requests have been written. */
async function attack(target: AbuseTarget, random: Random, count: number): Promise<void> {
  let sent = 0;
  await Promise.all(
    Array.from({ length: SOCKETS }, async () => {
      while (sent < count) {
        const written = await abuseOnce(target, random);
        sent += written;
      }
    }),
  );
}

/** Waits, with a bound, until the app has nothing under way. */
async function settle(): Promise<{ running: number; streams: number; connections: number }> {
  for (let attempt = 0; ; attempt++) {
    const activity = await ask<{ running: number; streams: number; connections: number }>('activity');
    if ((activity.running === 0 && activity.streams === 0 && activity.connections === 0) || attempt === 200) {
      return activity;
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

describe.each(['Express', 'Fastify'])('%s', platform => {
  it(`survives ${REQUESTS} hostile requests with nothing left behind`, async () => {
    child = spawn(
      process.execPath,
      [
        '--expose-gc',
        join(ROOT, 'test/support/abuse/app.mjs'),
        JSON.stringify({ platform, book, secret: SECRET }),
      ],
      { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    );
    const [{ port, concurrency }] = (await once(child, 'message')) as [{ port: number; concurrency: number }];
    const random = new Random(SEED);
    let level: number | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      await attack({ port, key }, random, REQUESTS / ROUNDS);
      expect(child.exitCode).toBeNull();
      expect(await settle()).toEqual({ running: 0, streams: 0, connections: 0 });
      const headers = { 'X-API-Key': key };
      const slow = await Promise.all(
        Array.from({ length: concurrency }, () => request(port, { path: '/slow', headers })),
      );
      expect(slow.map(answer => answer.status)).toEqual(slow.map(() => 200));
      const tool = await request(port, { path: '/tool', method: 'POST', headers });
      expect(tool.status).toBe(201);
      const result = await settle().then(() => ask<Result>('result'));
      expect(result.found).toEqual([]);
      expect(result.faults).toEqual([]);
      expect(result.calls).toBeGreaterThan(0);
      level ??= result.heapBytes;
      expect(result.heapBytes).toBeLessThan(level + MAX_GROWTH_BYTES);
    }
    child.send('close');
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(0);
  }, 600_000);
});
