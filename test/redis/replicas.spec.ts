/* Real processes of one app on one Redis: one is killed, Redis is restarted, and a deployment changes the limits. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { addKey, EMPTY_BOOK, revokeKey, setAgentDisabled } from '../../src/auth/key-book.js';
import type { AuthOptions, RateLimitOptions } from '../../src/index.js';
import { createRedisKeyStore } from '../../src/redis/key-store.js';
import { request } from '../support/http.js';
import { createApiKey, digests, SECRET } from '../support/keys.js';
import {
  closeAfterAll,
  describeWithEachServer,
  type RedisServer,
  startServer,
  until,
} from '../support/redis.js';

const ROOT = join(__dirname, '..', '..');
const CHANNEL = 'agent-security:keys:changed';

interface Settings {
  readonly rateLimit?: RateLimitOptions;
  readonly auth?: AuthOptions;
}

class Replica {
  readonly events: string[] = [];

  private constructor(
    readonly child: ChildProcess,
    readonly port: number,
  ) {
    child.on('message', ({ event }: { event?: string }) => event !== undefined && this.events.push(event));
  }

  /** Half of them on each platform. */
  static async start(url: string, index: number, { rateLimit = {}, auth = {} }: Settings): Promise<Replica> {
    const settings = {
      url,
      secret: SECRET,
      isFastify: index % 2 === 1,
      rateLimit: { limits: false, flood: false, ...rateLimit },
      auth,
    };
    const child = spawn(process.execPath, [join(__dirname, 'app-worker.mjs'), JSON.stringify(settings)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    closeAfterAll(() => child.kill('SIGKILL'));
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    return new Replica(child, port);
  }

  async status(key: string): Promise<number> {
    return (await request(this.port, { path: '/', headers: { 'X-API-Key': key } })).status;
  }

  async kill(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}

const startReplicas = (url: string, processes: number, settings: Settings = {}): Promise<Replica[]> =>
  Promise.all(Array.from({ length: processes }, (_, index) => Replica.start(url, index, settings)));

const count = (statuses: readonly number[], status: number): number =>
  statuses.filter(each => each === status).length;

describeWithEachServer('replicas of an app', name => {
  let redis: RedisServer;
  beforeAll(async () => {
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    execFileSync(process.execPath, [compiler, '-b', 'tsconfig.build.json'], { cwd: ROOT });
    redis = await startServer(name);
  }, 120_000);
  beforeEach(() => redis.command('FLUSHALL'));

  const { book, id, key } = addKey(EMPTY_BOOK, 'bot', {}, digests, { prefix: 'ask', nowMs: Date.now() });
  const change = async (next: typeof book): Promise<void> => {
    const store = await createRedisKeyStore(redis.url);
    await store.connect();
    await store.write(next, (await store.read()).version);
    store.close();
  };
  const untilAll = async (replicas: readonly Replica[], status: number): Promise<void> =>
    until(async () => {
      const statuses = await Promise.all(replicas.map(replica => replica.status(key)));
      return statuses.every(each => each === status);
    });
  const untilSubscribed = (replicas: number): Promise<void> =>
    until(async () => (await redis.command('PUBSUB', 'NUMSUB', CHANNEL)) === `${CHANNEL}\n${replicas}`);

  it.each([2, 8])(
    '%i: failed attempts are one count, also when one is killed',
    async processes => {
      const replicas = await startReplicas(redis.url, processes, { auth: { failedAttempts: '20/hour' } });
      const guess = (): string => createApiKey('ask').text;
      const first = await Promise.all(
        Array.from({ length: 12 }, (_, n) => replicas[n % processes]!.status(guess())),
      );
      expect(count(first, 401)).toBe(12);
      await replicas[0]!.kill();
      const left = replicas.slice(1);
      const others = await Promise.all(
        Array.from({ length: 24 }, (_, n) => left[n % left.length]!.status(guess())),
      );
      expect([count(others, 401), count(others, 429)]).toEqual([8, 16]);
      await until(() => left.flatMap(({ events }) => events).includes('auth.limited'));
      expect(left.flatMap(({ events }) => events).filter(event => event === 'auth.limited')).toHaveLength(1);
      await Promise.all(left.map(replica => replica.kill()));
    },
    120_000,
  );

  it.each([2, 8])(
    '%i: a new key, a revocation and a disabled agent reach all by a message, also after Redis was restarted',
    async processes => {
      const replicas = await startReplicas(redis.url, processes, { auth: { failedAttempts: false } });
      await untilSubscribed(processes);
      await change(book);
      await untilAll(replicas, 200);
      await replicas[0]!.kill();
      const left = replicas.slice(1);
      await redis.kill();
      await redis.start();
      await untilSubscribed(left.length);
      await change(book);
      await untilAll(left, 200);
      await change(revokeKey(book, id, Date.now()));
      await untilAll(left, 401);
      await change(book);
      await untilAll(left, 200);
      await change(setAgentDisabled(book, 'bot', true));
      await untilAll(left, 401);
      expect(left).toHaveLength(processes - 1);
      await Promise.all(left.map(replica => replica.kill()));
    },
    120_000,
  );

  it.each([
    ['2', 2, 1_400],
    ['8, one killed', 8, 2_000],
  ])(
    '%s: a shared flood limit admits little more than its number',
    async (_title, processes, most) => {
      const limit = 1_000;
      const settings = JSON.stringify({ url: redis.url, limit, perSecond: 1_000 });
      const children = Array.from({ length: processes }, () =>
        spawn(process.execPath, [join(__dirname, 'flood-worker.mjs'), settings], {
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        }),
      );
      for (const child of children) closeAfterAll(() => child.kill('SIGKILL'));
      await Promise.all(children.map(child => once(child, 'message')));
      const left = processes > 2 ? children.slice(1) : children;
      const answers = left.map(child => once(child, 'message') as Promise<[{ admitted: number }]>);
      for (const child of children) child.send(2 * limit);
      if (left !== children) children[0]!.kill('SIGKILL');
      const admitted = (await Promise.all(answers)).reduce((sum, [answer]) => sum + answer.admitted, 0);
      // What the killed process has reported counts too.
      expect(admitted).toBeGreaterThan(limit / 2);
      expect(admitted).toBeLessThanOrEqual(most);
    },
    60_000,
  );

  it('a rolling deployment with changed limits keeps the counts', async () => {
    await change(book);
    const settings = (limits: string, failedAttempts: string): Settings => ({
      rateLimit: { limits },
      auth: { failedAttempts },
    });
    const [old] = await startReplicas(redis.url, 1, settings('10/hour', '10/hour'));
    const [more, less] = await Promise.all([
      Replica.start(redis.url, 1, settings('12/hour', '12/hour')),
      Replica.start(redis.url, 0, settings('5/hour', '5/hour')),
    ]);
    const send = async (replica: Replica, credential: () => string, times: number): Promise<number[]> => {
      const statuses: number[] = [];
      for (let turn = 0; turn < times; turn++) statuses.push(await replica.status(credential()));
      return statuses;
    };
    for (const [credential, granted] of [
      [() => key, 200],
      [() => createApiKey('ask').text, 401],
    ] as const) {
      expect(await send(old!, credential, 9)).toEqual(Array(9).fill(granted));
      expect(await send(less, credential, 1)).toEqual([429]);
      expect(await send(more, credential, 4)).toEqual([granted, granted, granted, 429]);
      expect(await send(old!, credential, 1)).toEqual([429]);
    }
    await Promise.all([old!, more, less].map(replica => replica.kill()));
  }, 120_000);
});
