/* Several processes on one quota, one of which dies midway. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { PolicyParts } from '../../src/rate-limit/policy.js';
import { describeWithRedis, pause, type RedisServer, startRedis } from '../support/redis.js';

const ROOT = join(__dirname, '..', '..');
const CALLERS = 8;

interface Grant {
  readonly atMs: number;
  readonly remaining: number;
}

/** What all of them were granted, in the order of time. */
async function hammer(
  url: string,
  parts: PolicyParts,
  { processes, forMs, killAfterMs }: { processes: number; forMs: number; killAfterMs?: number },
): Promise<Grant[]> {
  const workers = Array.from({ length: processes }, () => {
    const child = spawn(
      process.execPath,
      [join(__dirname, 'worker.mjs'), JSON.stringify({ url, parts, forMs, callers: CALLERS })],
      { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
    );
    let output = '';
    child.stdout!.setEncoding('utf8').on('data', text => (output += text));
    return { child, ready: once(child, 'message'), closed: once(child, 'close'), output: () => output };
  });
  await Promise.all(workers.map(({ ready }) => ready));
  for (const { child } of workers) child.send('go');
  if (killAfterMs !== undefined) {
    await pause(killAfterMs);
    workers[0]!.child.kill('SIGKILL');
  }
  await Promise.all(workers.map(({ closed }) => closed));
  return workers
    .flatMap(({ output }) => output().split('\n').slice(0, -1))
    .map(line => line.split(' ').map(Number) as [number, number])
    .map(([atMs, remaining]) => ({ atMs, remaining }))
    .toSorted((a, b) => a.atMs - b.atMs);
}

describeWithRedis('several processes on one quota', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    // The workers are plain Node on the built package.
    execFileSync(
      process.execPath,
      [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', 'tsconfig.build.json'],
      {
        cwd: ROOT,
      },
    );
    redis = await startRedis();
  }, 120_000);
  beforeEach(() => redis.command('FLUSHALL'));

  const windowMs = 200;
  const crowds: [title: string, processes: number, killAfterMs: number | undefined][] = [
    ['two', 2, undefined],
    ['eight, one killed midway', 8, 2_000],
  ];

  it.each(crowds)(
    '%s: a fixed window admits exactly its limit, over 20 windows',
    async (_title, processes, killAfterMs) => {
      const limit = 50;
      const grants = await hammer(
        redis.url,
        { limit, windowMs, algorithm: 'fixed-window' },
        { processes, forMs: 20 * windowMs + 200, ...(killAfterMs === undefined ? {} : { killAfterMs }) },
      );
      // Each window grants every remainder once: limit - 1 down to 0.
      const times = Array.from(
        { length: limit },
        (_, rest) => grants.filter(({ remaining }) => remaining === rest).length,
      );
      const windows = Math.max(...times);
      // What the killed one was granted and did not live to write down; and the last window may be cut short.
      const lost = killAfterMs === undefined ? 0 : CALLERS;
      expect(windows).toBeGreaterThanOrEqual(15);
      expect(windows).toBeLessThanOrEqual(22 + 1);
      expect(grants.length).toBeGreaterThanOrEqual((windows - 1) * limit - lost);
      expect(grants.length).toBeLessThanOrEqual(windows * limit);
      for (const count of times) {
        expect(count).toBeLessThanOrEqual(windows);
        expect(count).toBeGreaterThanOrEqual(windows - 1 - lost);
      }
    },
  );

  it.each(crowds)(
    '%s: a token bucket admits exactly its burst and its refill',
    async (_title, processes, killAfterMs) => {
      const burst = 20;
      const grants = await hammer(
        redis.url,
        { limit: 20, windowMs, algorithm: 'token-bucket', burst },
        { processes, forMs: 20 * windowMs, ...(killAfterMs === undefined ? {} : { killAfterMs }) },
      );
      const tookMs = grants.at(-1)!.atMs - grants[0]!.atMs;
      const refill = (tookMs * 20) / windowMs;
      // Clients read their clocks after the answer came: some milliseconds, of 10 ms a token, at both ends.
      expect(grants.length).toBeLessThanOrEqual(burst + refill + 5);
      expect(grants.length).toBeGreaterThanOrEqual(
        burst + refill - 5 - (killAfterMs === undefined ? 0 : CALLERS),
      );
    },
  );

  it.each(crowds)('%s: a sliding window stays within its error', async (_title, processes, killAfterMs) => {
    const limit = 140;
    const slidingMs = 400;
    const grants = await hammer(
      redis.url,
      { limit, windowMs: slidingMs },
      { processes, forMs: 10 * slidingMs, ...(killAfterMs === undefined ? {} : { killAfterMs }) },
    );
    // Clients see a grant later than Redis gave it, by up to this.
    const lateMs = 60;
    for (const [index, { atMs }] of grants.entries()) {
      let inWindow = 0;
      while (index + inWindow < grants.length && grants[index + inWindow]!.atMs < atMs + slidingMs - lateMs)
        inWindow++;
      // A batch is a fourteenth.
      expect(inWindow).toBeLessThanOrEqual(limit + limit / 14 - 1);
    }
    expect(grants.length).toBeGreaterThanOrEqual(9 * limit);
  });
});
