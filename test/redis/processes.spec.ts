/* Several processes consume one quota at the same time, over 20 windows, and one of them is killed midway. This process sets their
 * clocks, so that the number of grants is exact however busy the machine is. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { PolicyParts } from '../../src/limiter/create-policy.js';
import { closeAfterAll, describeWithRedis, type RedisServer, startRedis } from '../support/redis.js';

const ROOT = join(__dirname, '..', '..');
const CALLERS = 8;
const BEGIN_MS = 1_200_000;

interface Worker {
  readonly child: ChildProcess;
  readonly lines: string[];
}

class Crowd {
  private constructor(private workers: readonly Worker[]) {}

  static async start(url: string, parts: PolicyParts, processes: number): Promise<Crowd> {
    const workers = Array.from({ length: processes }, () => {
      const child = spawn(
        process.execPath,
        [join(__dirname, 'worker.mjs'), JSON.stringify({ url, parts, callers: CALLERS })],
        { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
      );
      closeAfterAll(() => child.kill('SIGKILL'));
      const lines: string[] = [];
      child.stdout!.setEncoding('utf8').on('data', text => lines.push(...text.split('\n').filter(Boolean)));
      return { child, lines };
    });
    await Promise.all(workers.map(({ child }) => once(child, 'message')));
    return new Crowd(workers);
  }

  /**
   * All processes consume at this moment until they are denied.
   * @param kills whether one of them dies in the middle of it
   * @returns what was granted, by process
   */
  async consume(nowMs: number, { kills = false, releases = 0, ageMs = 0 } = {}): Promise<readonly number[]> {
    const answers = this.workers.map(({ child }, index) => {
      const done = kills && index === 0 ? once(child, 'close') : once(child, 'message');
      child.send({ nowMs, releases, ageMs });
      return done;
    });
    const { child, lines } = this.workers[0]!;
    if (kills) {
      if (!lines.includes(String(nowMs)))
        await Promise.race([once(child.stdout!, 'data'), ...answers.slice(1)]);
      child.kill('SIGKILL');
    }
    await Promise.all(answers);
    // The last lines may come behind the message.
    await new Promise(resolve => setTimeout(resolve, 30));
    const granted = this.workers.map(worker => worker.lines.filter(line => line === String(nowMs)).length);
    if (kills) this.workers = this.workers.slice(1);
    return granted;
  }

  stop(): void {
    for (const { child } of this.workers) child.kill('SIGKILL');
  }
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

describeWithRedis('several processes on one quota', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    // The workers are plain Node on the built package.
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    execFileSync(process.execPath, [compiler, '-b', 'tsconfig.build.json'], { cwd: ROOT });
    redis = await startRedis();
  }, 120_000);
  beforeEach(() => redis.command('FLUSHALL'));

  const windowMs = 1_000;
  const crowds: [title: string, processes: number, kills: boolean][] = [
    ['two', 2, false],
    ['eight, one killed midway', 8, true],
  ];
  /** Grants that the killed process could not write down. */
  const lostOf = (kills: boolean): number => (kills ? CALLERS : 0);

  it.each(crowds)(
    '%s: a fixed window admits exactly its limit',
    async (_title, processes, kills) => {
      const limit = 50;
      const crowd = await Crowd.start(redis.url, { limit, windowMs, algorithm: 'fixed-window' }, processes);
      for (let window = 0; window < 20; window++) {
        const dies = kills && window === 10;
        const granted = sum(await crowd.consume(BEGIN_MS + window * windowMs, { kills: dies }));
        expect(granted).toBeLessThanOrEqual(limit);
        expect(granted).toBeGreaterThanOrEqual(limit - lostOf(dies));
      }
      crowd.stop();
    },
    120_000,
  );

  it.each(crowds)(
    '%s: a token bucket admits exactly its burst and its refill',
    async (_title, processes, kills) => {
      const parts = { limit: 40, windowMs, algorithm: 'token-bucket', burst: 25 } as const;
      const crowd = await Crowd.start(redis.url, parts, processes);
      for (let half = 0; half < 40; half++) {
        const dies = kills && half === 20;
        const granted = sum(await crowd.consume(BEGIN_MS + (half * windowMs) / 2, { kills: dies }));
        const expected = half === 0 ? 25 : 20;
        expect(granted).toBeLessThanOrEqual(expected);
        expect(granted).toBeGreaterThanOrEqual(expected - lostOf(dies));
      }
      crowd.stop();
    },
    120_000,
  );

  it.each(crowds)(
    '%s: a sliding window stays within its error',
    async (_title, processes, kills) => {
      const limit = 100;
      const crowd = await Crowd.start(redis.url, { limit, windowMs }, processes);
      const granted: number[] = [];
      const quarters = 80;
      for (let quarter = 0; quarter < quarters; quarter++) {
        const dies = kills && quarter === 40;
        granted.push(sum(await crowd.consume(BEGIN_MS + (quarter * windowMs) / 4, { kills: dies })));
        // Full batches of 8: a window admits the limit and at most a batch less one.
        expect(sum(granted.slice(-4))).toBeLessThanOrEqual(limit + 7);
      }
      // Whatever an exact log would grant is granted.
      expect(sum(granted)).toBeGreaterThanOrEqual((quarters / 4) * limit - lostOf(kills));
      crowd.stop();
    },
    120_000,
  );

  it('eight, one killed midway: a concurrency limit grants exactly its leases, and those of the killed process end', async () => {
    const limit = 40;
    const leaseMs = 12_000;
    const crowd = await Crowd.start(redis.url, { limit, windowMs: leaseMs, algorithm: 'concurrency' }, 8);
    const first = await crowd.consume(BEGIN_MS, { kills: true });
    const leased = sum(first);
    expect(leased).toBeLessThanOrEqual(limit);
    expect(leased).toBeGreaterThanOrEqual(limit - CALLERS);
    // The leases of the killed process are missing until they end, at most a twelfth of a lease later.
    expect(sum(await crowd.consume(BEGIN_MS + leaseMs - 1))).toBe(0);
    expect(sum(await crowd.consume(BEGIN_MS + (leaseMs * 13) / 12))).toBe(limit);
    // Each of the seven processes releases one lease.
    expect(
      sum(await crowd.consume(BEGIN_MS + (leaseMs * 14) / 12, { releases: 1, ageMs: leaseMs / 12 })),
    ).toBe(7);
    crowd.stop();
  }, 120_000);
});
