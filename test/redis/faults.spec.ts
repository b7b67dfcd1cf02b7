/* Faults of Redis and of the processes while two processes that share it are under hostile load. Whatever fails, both stay alive, every
 * tool call that ran has one audit outcome, and every lease of a concurrency limit is given back. `ABUSE_SEED` repeats a run. */
import { once } from 'node:events';
import { Random } from '../support/abuse/client.js';
import { AbusedApp, attack, build, KEY, type Result } from '../support/abuse/process.js';
import { request } from '../support/http.js';
import { describeWithRedis, pause, type RedisServer, startRedis } from '../support/redis.js';

const SEED = Number(process.env.ABUSE_SEED ?? 1);
const HEADERS = { 'X-API-Key': KEY };

beforeAll(build, 120_000);

describeWithRedis('two processes over one Redis, under hostile load', () => {
  let redis: RedisServer;
  let apps: readonly AbusedApp[];
  beforeEach(async () => {
    redis = await startRedis();
    apps = await Promise.all(['Express', 'Fastify'].map(platform => AbusedApp.start(platform, redis.url)));
  }, 60_000);
  afterEach(async () => {
    for (const { child } of apps) child.kill('SIGKILL');
    await redis.kill();
  });

  /** Attacks both processes until the faults have been done. */
  const attackDuring = async (faults: () => Promise<void>): Promise<void> => {
    let isOver = false;
    const random = new Random(SEED);
    const attacks = apps.map(app => attack(app.target, random, 20_000, () => isOver, 16));
    await faults();
    isOver = true;
    await Promise.all(attacks);
  };

  /** How many leases of the shared limit can be acquired at once; repeated while some are being given back. */
  const freeLeases = async (): Promise<number> => {
    const { concurrency } = apps[0]!;
    for (let attempt = 0; ; attempt++) {
      const answers = await Promise.all(
        Array.from({ length: concurrency }, (_, index) =>
          request(apps[index % 2]!.port, { path: '/slow', headers: HEADERS }),
        ),
      );
      const free = answers.filter(({ status }) => status === 200).length;
      if (free === concurrency || attempt === 50) return free;
      await pause(100);
    }
  };

  const FAULTS: readonly (readonly [title: string, faults: () => Promise<void>])[] = [
    [
      'stands still for 150 ms again and again',
      async () => {
        for (let turn = 0; turn < 6; turn++) {
          await pause(400);
          redis.pause();
          await pause(150);
          redis.resume();
        }
      },
    ],
    [
      'is killed in the middle of its work, and comes back empty',
      async () => {
        for (let turn = 0; turn < 2; turn++) {
          await pause(700);
          await redis.kill();
          await pause(300);
          await redis.start();
        }
      },
    ],
  ];
  it.each(FAULTS)(
    'leave nothing behind when Redis %s',
    async (_title, faults) => {
      await attackDuring(faults);
      for (const app of apps) {
        expect(app.isAlive).toBe(true);
        expect(await app.settle()).toEqual({ running: 0, streams: 0, connections: 0 });
      }
      expect(await freeLeases()).toBe(apps[0]!.concurrency);
      for (const app of apps) {
        await app.settle();
        const { found, faults: own } = await app.request<Result>('result');
        expect([found, own]).toEqual([[], []]);
      }
    },
    120_000,
  );

  it('record every call when both get SIGTERM at random moments', async () => {
    const random = new Random(SEED);
    await attackDuring(async () => {
      for (const app of apps) {
        await pause(200 + random.below(600));
        const closing = once(app.child, 'message') as Promise<[Result]>;
        const exited = once(app.child, 'exit');
        app.child.kill('SIGTERM');
        const [{ found, faults }] = await closing;
        expect([found, faults]).toEqual([[], []]);
        expect(await exited).toEqual([null, 'SIGTERM']);
      }
    });
  }, 120_000);
});
