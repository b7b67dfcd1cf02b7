/* The script for a single decision: equal to the script for many, in its decisions and in the bytes that it stores. */
import { Redis } from 'ioredis';
import type { QuotaDecision } from '../../src/limiter/consume.js';
import { createPolicy, type PolicyParts } from '../../src/limiter/create-policy.js';
import type { Policy } from '../../src/limiter/policy.js';
import { readClient } from '../../src/redis/read-client.js';
import { RedisQuotas } from '../../src/redis/redis-quotas.js';
import { loneScriptOf } from '../../src/redis/script/lone-script.js';
import { QUOTA_SCRIPT } from '../../src/redis/script/quota-script.js';
import { seededNumbers } from '../fixtures/cells.js';
import { closeAfterAll, describeWithRedis, type RedisServer, startRedis } from '../support/redis.js';

const second = 1_000;
const minute = 60_000;
const day = 86_400_000;
const STEPS = 400;

type Row = [title: string, policies: readonly PolicyParts[], stepMs: number];
const rows: Row[] = [
  ['a limit of one', [{ limit: 1, windowMs: second }], 400],
  ['a window', [{ limit: 10, windowMs: second }], 120],
  ['a window of batches', [{ limit: 100, windowMs: minute }], 500],
  ['a window of several milliseconds a tick', [{ limit: 29, windowMs: day }], 3_000_000],
  ['a window of a millisecond', [{ limit: 2, windowMs: 1 }], 1],
  ['a window of a fraction', [{ limit: 3, windowMs: 100.5 }], 30],
  ['a large limit', [{ limit: 1_000_000, windowMs: minute }], 2_000],
  [
    'two windows',
    [
      { limit: 10, windowMs: second },
      { limit: 40, windowMs: minute },
    ],
    250,
  ],
  [
    'three windows',
    [
      { limit: 5, windowMs: second },
      { limit: 20, windowMs: 10 * second },
      { limit: 100, windowMs: minute },
    ],
    250,
  ],
];

describeWithRedis('the script for a single decision', () => {
  let redis: RedisServer;
  let client: Redis;
  const shas: string[] = [];
  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis({ port: redis.port, host: '127.0.0.1' });
    closeAfterAll(() => client.disconnect());
  });
  beforeEach(async () => {
    await client.flushall();
    shas.length = 0;
  });

  const create = (prefix: string, now?: () => number): RedisQuotas => {
    const runner = readClient('client', client);
    const evalsha: typeof runner.evalsha = (sha, keys, args) => {
      shas.push(sha);
      return runner.evalsha(sha, keys, args);
    };
    return new RedisQuotas({
      runner: { ...runner, evalsha },
      prefix,
      maxDenials: 0,
      ...(now && { now }),
    });
  };
  const consume = (store: RedisQuotas, policies: readonly Policy[], cost = 1): Promise<QuotaDecision> =>
    store.consume([
      { key: 'a:192.0.2.1', scope: 'a', partitionKey: '192.0.2.1', isAddress: true, policies, cost },
    ]);
  /** A second decision of the same moment makes it a call of several. */
  const consumeBeside = async (store: RedisQuotas, policies: readonly Policy[]): Promise<QuotaDecision> => {
    const beside = { key: 'b', scope: 'b', partitionKey: 'b', policies, cost: 0 };
    const [decision] = await Promise.all([consume(store, policies), store.consume([beside])]);
    return decision;
  };
  const textOf = (prefix: string): Promise<Buffer | null> => client.getBuffer(`${prefix}{192.0.2.1}a`);

  it.each(rows)('%s: decides and writes what the script for many does', async (title, parts, stepMs) => {
    let nowMs = 5_000_000;
    const below = seededNumbers(title.length);
    const policies = parts.map(createPolicy);
    const [lone, many, mixed] = ['l:', 'm:', 'x:'].map(prefix => create(prefix, () => nowMs));
    let rejections = 0;
    for (let step = 0; step < STEPS; step++) {
      const decision = await consume(lone!, policies);
      expect(await consumeBeside(many!, policies)).toEqual(decision);
      const either = below(2) === 0 ? consume : consumeBeside;
      expect(await either(mixed!, policies)).toEqual(decision);
      const [text, ...others] = await Promise.all(['l:', 'm:', 'x:'].map(textOf));
      for (const other of others) expect(other).toEqual(text);
      if (!decision.granted) rejections++;
      nowMs += below(40) === 0 ? below(stepMs * 50) : below(stepMs + 1);
    }
    expect(rejections > 0).toBe(title !== 'a large limit');
    const { sha } = loneScriptOf(parts.length);
    expect(shas.filter(each => each === sha).length).toBeGreaterThan(STEPS);
  });

  const two = [createPolicy({ limit: 9, windowMs: second }), createPolicy({ limit: 90, windowMs: minute })];

  it('makes one call', async () => {
    const store = create('l:');
    await consume(store, two);
    shas.length = 0;
    expect((await consume(store, two)).policyStates.map(({ remaining }) => remaining)).toEqual([7, 88]);
    expect(shas).toEqual([loneScriptOf(2).sha]);
  });

  it.each<[string, readonly Policy[], number]>([
    ['a larger cost', two, 2],
    ['a fixed window', [createPolicy({ limit: 9, windowMs: second, algorithm: 'fixed-window' })], 1],
    ['a block', [createPolicy({ limit: 9, windowMs: second, blockMs: minute })], 1],
    ['shadow mode', [createPolicy({ limit: 9, windowMs: second, shadow: true })], 1],
    ['four windows', [1, 2, 3, 4].map(windowMs => createPolicy({ limit: 9, windowMs })), 1],
  ])('leaves %s to the script for many', async (_title, policies, cost) => {
    const store = create('l:');
    expect((await consume(store, policies, cost)).granted).toBe(true);
    expect(shas).toEqual([QUOTA_SCRIPT.sha]);
  });

  const text = (value: string) => (key: string) => client.set(key, value);
  it.each<[string, (key: string) => Promise<unknown>]>([
    ['another type', key => client.hset(key, 'field', 'value')],
    ['no text', text('')],
    ['a short text', text('foreign')],
    ['a long text', text('x'.repeat(100))],
    ['records that end early', async key => client.set(key, (await client.getBuffer(key))!.subarray(0, -1))],
    ['records that end late', key => client.append(key, 'x')],
    ['a longer record', key => client.setrange(key, 10, '\u007f')],
  ])('leaves a key with %s to the script for many', async (title, spoil) => {
    const outcome = async (prefix: string, decide: typeof consumeBeside): Promise<unknown> => {
      const store = create(prefix, () => 5_000_000);
      await consume(store, two);
      if (title === 'another type') await client.del(`${prefix}{192.0.2.1}a`);
      await spoil(`${prefix}{192.0.2.1}a`);
      return decide(store, two).catch((error: Error) => error.message.replace(/f_\w+|script: \w+/g, ''));
    };
    const alone = await outcome('l:', consume);
    expect(shas.at(-1)).toBe(QUOTA_SCRIPT.sha);
    expect(alone).toEqual(await outcome('m:', consumeBeside));
  });

  it('goes on under another limit as the script for many does', async () => {
    let nowMs = 5_000_000;
    const stores = [create('l:', () => nowMs), create('m:', () => nowMs)] as const;
    for (const limit of [20, 100, 3, 20]) {
      const policies = [createPolicy({ limit, windowMs: minute })];
      for (let step = 0; step < 10; step++, nowMs += 700) {
        expect(await consume(stores[0], policies)).toEqual(await consumeBeside(stores[1], policies));
        expect(await textOf('l:')).toEqual(await textOf('m:'));
      }
    }
  });
});
