import type { ThrottlerStorage } from '@nestjs/throttler';
import { GuardedStore } from '../../../src/limiter/store/guarded-store.js';
import { createPolicy } from '../../../src/limiter/create-policy.js';
import { ThrottlerQuotaStore } from '../../../src/limiter/store/throttler-store.js';
import { ManualClock } from '../../support/clock.js';

type Answer = Awaited<ReturnType<ThrottlerStorage['increment']>>;

const GRANTED: Answer = { totalHits: 1, timeToExpire: 60, isBlocked: false, timeToBlockExpire: 0 };
const BLOCKED: Answer = { totalHits: 6, timeToExpire: 60, isBlocked: true, timeToBlockExpire: 30 };

const few = createPolicy({ limit: 5, windowMs: 60_000 });
const many = createPolicy({ limit: 1_000_000, windowMs: 3_600_000 });
const shadow = createPolicy({ limit: 5, windowMs: 60_000, shadow: true });

function setUp(answer: (limit: number) => unknown = () => GRANTED) {
  const calls: number[] = [];
  const time = { nowMs: 0, perCallMs: 0 };
  const storage: ThrottlerStorage = {
    increment: async (_key, _ttl, limit) => {
      calls.push(limit);
      time.nowMs += time.perCallMs;
      return answer(limit) as Answer;
    },
  };
  const lines: string[] = [];
  const note = (line: string): void => void lines.push(line);
  const store = new ThrottlerQuotaStore(storage, () => time.nowMs);
  const guarded = new GuardedStore(store, new ManualClock(), { log: note, error: note });
  const consume = (cost = 1, policies = [few, many]) => guarded.consume([{ key: 'all:a', policies, cost }]);
  return { calls, time, lines, consume };
}

describe('ThrottlerQuotaStore', () => {
  it('consumes one limit after the other', async () => {
    const { calls, consume } = setUp();
    expect(await consume()).toEqual({
      granted: true,
      policyStates: [
        { policy: few, remaining: 4, resetMs: 60_000, violated: false },
        { policy: many, remaining: 999_999, resetMs: 60_000, violated: false },
      ],
    });
    expect(calls).toEqual([5, 1_000_000]);
  });

  it('ends with the first limit that denies', async () => {
    const { calls, consume } = setUp(() => BLOCKED);
    expect(await consume()).toEqual({
      granted: false,
      policyStates: [{ policy: few, remaining: 0, resetMs: 30_000, violated: true }],
    });
    expect(calls).toEqual([5]);
  });

  it('denies no request for a policy in shadow mode', async () => {
    const { consume } = setUp(limit => (limit === shadow.limit ? BLOCKED : GRANTED));
    expect(await consume(1, [shadow, many])).toMatchObject({
      granted: true,
      policyStates: [{ violated: true }, { violated: false }],
    });
  });

  it('makes no call for a cost of 0', async () => {
    const { calls, consume } = setUp();
    expect(await consume(0)).toEqual({ granted: true, policyStates: [] });
    expect(calls).toEqual([]);
  });

  const lies: [title: string, answer: unknown][] = [
    ['nothing', undefined],
    ['an empty record', {}],
    ['a record without isBlocked, as storages for older versions give', { totalHits: 1, timeToExpire: 60 }],
    ['1 for blocked', { ...BLOCKED, isBlocked: 1 }],
    ['NaN hits', { ...GRANTED, totalHits: Number.NaN }],
    ['-5 hits', { ...GRANTED, totalHits: -5 }],
    ['1.5 hits', { ...GRANTED, totalHits: 1.5 }],
    ['hits as text', { ...GRANTED, totalHits: '1' }],
    ['an end of NaN', { ...GRANTED, timeToExpire: Number.NaN }],
    ['an endless window', { ...GRANTED, timeToExpire: Infinity }],
    ['an absurd end', { ...GRANTED, timeToExpire: 1e300 }],
    ['a block until NaN', { ...BLOCKED, timeToBlockExpire: Number.NaN }],
    ['an endless block', { ...BLOCKED, timeToBlockExpire: Infinity }],
  ];
  it.each(lies)('treats %s as a failure', async (_title, answer) => {
    const { lines, consume } = setUp(() => answer);
    expect(await consume()).toBeUndefined();
    expect(lines).toEqual([expect.stringMatching(/^The rate-limit store fails \(its/)]);
  });

  it('ignores the time that is not in use, and takes a past one as now', async () => {
    const answers = [
      { ...GRANTED, timeToBlockExpire: -1_700_000_000 },
      { ...GRANTED, timeToExpire: -2 },
    ];
    const { consume } = setUp(() => answers.shift());
    expect((await consume())!.policyStates.map(({ resetMs }) => resetMs)).toEqual([60_000, 0]);
  });

  it('makes one call per unit', async () => {
    const { calls, consume } = setUp();
    await consume(3);
    expect(calls).toEqual([5, 5, 5, 1_000_000, 1_000_000, 1_000_000]);
  });

  it('makes no call for a cost above the limit', async () => {
    const { calls, consume } = setUp();
    expect(await consume(6)).toEqual({
      granted: false,
      policyStates: [{ policy: few, remaining: 0, resetMs: Infinity, violated: true }],
    });
    expect((await consume(5_000_000, [many]))!.granted).toBe(false);
    expect(calls).toEqual([]);
  });

  it('rejects a cost of more calls than fit the deadline, and keeps working', async () => {
    const { calls, lines, consume } = setUp();
    for (let time = 0; time < 6; time++)
      await expect(consume(10_001, [many])).rejects.toThrow('a cost must be at most 10000, received 10001');
    expect(calls).toEqual([]);
    expect((await consume(1))!.granted).toBe(true);
    expect(lines).toEqual([]);
  });

  it('stops at the deadline', async () => {
    const { calls, time, lines, consume } = setUp();
    time.perCallMs = 10;
    expect(await consume(10_000, [many])).toBeUndefined();
    expect(calls).toHaveLength(10);
    expect(lines).toEqual([expect.stringContaining('10 of 10000 units took more than 100 ms')]);
  });
});
