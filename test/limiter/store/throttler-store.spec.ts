import type { ThrottlerStorage } from '@nestjs/throttler';
import { GuardedStore } from '../../../src/limiter/store/guarded-store.js';
import { createPolicy } from '../../../src/limiter/policy.js';
import { ThrottlerQuotaStore } from '../../../src/limiter/store/throttler-store.js';
import { ManualClock } from '../../support/clock.js';

type Answer = Awaited<ReturnType<ThrottlerStorage['increment']>>;

const GRANTED: Answer = { totalHits: 1, timeToExpire: 60, isBlocked: false, timeToBlockExpire: 0 };
const BLOCKED: Answer = { totalHits: 6, timeToExpire: 60, isBlocked: true, timeToBlockExpire: 30 };

const few = createPolicy({ limit: 5, windowMs: 60_000 });
const many = createPolicy({ limit: 1_000_000, windowMs: 3_600_000 });
const trial = createPolicy({ limit: 5, windowMs: 60_000, shadow: true });

function setUp(answer: (limit: number) => unknown = () => GRANTED) {
  const asked: number[] = [];
  const time = { nowMs: 0, perCallMs: 0 };
  const storage: ThrottlerStorage = {
    increment: async (_key, _ttl, limit) => {
      asked.push(limit);
      time.nowMs += time.perCallMs;
      return answer(limit) as Answer;
    },
  };
  const lines: string[] = [];
  const note = (line: string): void => void lines.push(line);
  const store = new ThrottlerQuotaStore(storage, () => time.nowMs);
  const guarded = new GuardedStore(store, new ManualClock(), { log: note, error: note });
  const ask = (cost = 1, policies = [few, many]) => guarded.consume([{ key: 'all:a', policies, cost }]);
  return { asked, time, lines, ask };
}

describe('ThrottlerQuotaStore', () => {
  it('asks about one limit after the other', async () => {
    const { asked, ask } = setUp();
    expect(await ask()).toEqual({
      granted: true,
      policyStates: [
        { policy: few, remaining: 4, resetMs: 60_000, violated: false },
        { policy: many, remaining: 999_999, resetMs: 60_000, violated: false },
      ],
    });
    expect(asked).toEqual([5, 1_000_000]);
  });

  it('ends with the first limit that refuses', async () => {
    const { asked, ask } = setUp(() => BLOCKED);
    expect(await ask()).toEqual({
      granted: false,
      policyStates: [{ policy: few, remaining: 0, resetMs: 30_000, violated: true }],
    });
    expect(asked).toEqual([5]);
  });

  it('refuses nobody for a limit on trial', async () => {
    const { ask } = setUp(limit => (limit === trial.limit ? BLOCKED : GRANTED));
    expect(await ask(1, [trial, many])).toMatchObject({
      granted: true,
      policyStates: [{ violated: true }, { violated: false }],
    });
  });

  it('asks nothing about what costs nothing', async () => {
    const { asked, ask } = setUp();
    expect(await ask(0)).toEqual({ granted: true, policyStates: [] });
    expect(asked).toEqual([]);
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
  it.each(lies)('takes %s for a failure', async (_title, answer) => {
    const { lines, ask } = setUp(() => answer);
    expect(await ask()).toBeUndefined();
    expect(lines).toEqual([expect.stringMatching(/^The rate-limit store fails \(its/)]);
  });

  it('does not mind the time that does not count, nor one that is over', async () => {
    const answers = [
      { ...GRANTED, timeToBlockExpire: -1_700_000_000 },
      { ...GRANTED, timeToExpire: -2 },
    ];
    const { ask } = setUp(() => answers.shift());
    expect((await ask())!.policyStates.map(({ resetMs }) => resetMs)).toEqual([60_000, 0]);
  });

  it('counts a unit a call', async () => {
    const { asked, ask } = setUp();
    await ask(3);
    expect(asked).toEqual([5, 5, 5, 1_000_000, 1_000_000, 1_000_000]);
  });

  it('takes nothing for what costs more than the limit', async () => {
    const { asked, ask } = setUp();
    expect(await ask(6)).toEqual({
      granted: false,
      policyStates: [{ policy: few, remaining: 0, resetMs: Infinity, violated: true }],
    });
    expect((await ask(5_000_000, [many]))!.granted).toBe(false);
    expect(asked).toEqual([]);
  });

  it('refuses what is more calls than anybody can wait for, and stays in use for others', async () => {
    const { asked, lines, ask } = setUp();
    for (let time = 0; time < 6; time++)
      await expect(ask(10_001, [many])).rejects.toThrow('a cost must be at most 10000, received 10001');
    expect(asked).toEqual([]);
    expect((await ask(1))!.granted).toBe(true);
    expect(lines).toEqual([]);
  });

  it('stops once nobody waits for it any more', async () => {
    const { asked, time, lines, ask } = setUp();
    time.perCallMs = 10;
    expect(await ask(10_000, [many])).toBeUndefined();
    expect(asked).toHaveLength(10);
    expect(lines).toEqual([expect.stringContaining('10 of 10000 units took more than 100 ms')]);
  });
});
