import { GuardedStore, InvalidChargeError } from '../../../src/limiter/store/guarded-store.js';
import type { PolicyState, QuotaDecision } from '../../../src/limiter/consume.js';
import { createPolicy } from '../../../src/limiter/create-policy.js';
import type { QuotaStore, StoredCharge } from '../../../src/limiter/store/quota-store.js';
import { SecurityEvents } from '../../../src/events/security-events.js';
import { ManualClock } from '../../support/clock.js';

const GRANTED: QuotaDecision = { granted: true, policyStates: [] };
const DEADLINE_MS = 100;

/** A store whose behaviour a test changes on the way. */
class ScriptedStore implements QuotaStore {
  calls = 0;
  behaviour: 'answer' | 'reject' | 'throw' | 'hang' = 'answer';

  consume(): Promise<QuotaDecision> {
    return this.answer();
  }

  settle(): Promise<QuotaDecision> {
    return this.answer();
  }

  renew(): Promise<QuotaDecision> {
    return this.answer();
  }

  async reset(): Promise<void> {
    await this.answer();
  }

  private answer(): Promise<QuotaDecision> {
    this.calls += 1;
    switch (this.behaviour) {
      case 'answer':
        return Promise.resolve(GRANTED);
      case 'reject':
        return Promise.reject(new Error('ECONNREFUSED redis://:pw@cache.test'));
      case 'throw':
        throw new Error('not connected');
      case 'hang':
        return new Promise(() => undefined);
    }
  }
}

describe('GuardedStore', () => {
  const store = new ScriptedStore();
  const lines: string[] = [];
  const log = {
    log: (line: string) => lines.push(`log ${line}`),
    error: (line: string) => lines.push(`error ${line}`),
  };
  let clock = new ManualClock();
  let guarded = new GuardedStore(store, clock, log);

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'clearImmediate'] });
    lines.length = 0;
    store.calls = 0;
    store.behaviour = 'answer';
    clock = new ManualClock();
    guarded = new GuardedStore(store, clock, log);
  });
  afterEach(() => jest.useRealTimers());

  const failOften = async (): Promise<void> => {
    store.behaviour = 'reject';
    for (let time = 0; time < 5; time++) await guarded.consume([]);
  };

  it('returns the decision of the store', async () => {
    expect(await guarded.consume([])).toBe(GRANTED);
    expect(lines).toEqual([]);
  });

  it.each(['reject', 'throw'] as const)('returns no decision if the store would %s', async behaviour => {
    store.behaviour = behaviour;
    expect(await guarded.consume([])).toBeUndefined();
  });

  it('waits for a store that hangs until the deadline and no longer', async () => {
    store.behaviour = 'hang';
    let settled = false;
    const decision = guarded.consume([]).finally(() => (settled = true));
    await jest.advanceTimersByTimeAsync(DEADLINE_MS - 1);
    expect(settled).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(await decision).toBeUndefined();
  });

  const deadlines: [deadlineMs: number, waitsMs: number][] = [
    [20, 20],
    [5_000, DEADLINE_MS],
    [0, DEADLINE_MS],
    [Number.NaN, DEADLINE_MS],
  ];
  it.each(deadlines)('waits for a store with a deadline of %d ms for %d ms', async (deadlineMs, waitsMs) => {
    guarded = new GuardedStore(
      Object.assign(new ScriptedStore(), { behaviour: 'hang', deadlineMs }),
      clock,
      log,
    );
    let settled = false;
    const decision = guarded.consume([]).finally(() => (settled = true));
    await jest.advanceTimersByTimeAsync(waitsMs - 1);
    expect(settled).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(await decision).toBeUndefined();
  });

  it('clears its timer after an answer', async () => {
    await guarded.consume([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('sends nothing to a store that keeps failing', async () => {
    await failOften();
    const { calls } = store;
    await guarded.consume([]); // the first decision after the failures probes the store, without waiting
    for (let time = 0; time < 10; time++) expect(await guarded.consume([])).toBeUndefined();
    expect(store.calls).toBe(calls + 1);
  });

  it('does not wait for a hanging store while the circuit is open', async () => {
    await failOften();
    store.behaviour = 'hang';
    expect(await guarded.consume([])).toBeUndefined();
  });

  it('recovers, with one log line for each change', async () => {
    await failOften();
    store.behaviour = 'answer';
    clock.advance(1_000);
    expect(await guarded.consume([])).toBeUndefined();
    await jest.advanceTimersByTimeAsync(0);
    expect(await guarded.consume([])).toBe(GRANTED);
    expect(lines).toEqual([
      expect.stringMatching(
        /^error The rate-limit store fails \(ECONNREFUSED redis:\/\/:\[redacted\]@cache\.test\)/,
      ),
      'log The rate-limit store answers again.',
    ]);
  });

  it('ignores a late answer: it is neither a success nor a second failure', async () => {
    const late: ((decision: QuotaDecision) => void)[] = [];
    const slow = new GuardedStore({ consume: () => new Promise(resolve => late.push(resolve)) }, clock, log);
    const decisions = [1, 2, 3, 4, 5].map(() => slow.consume([]));
    await jest.advanceTimersByTimeAsync(DEADLINE_MS);
    await Promise.all(decisions);
    for (const answer of late) answer(GRANTED);
    await jest.advanceTimersByTimeAsync(0);
    expect(lines).toEqual([expect.stringMatching(/^error The rate-limit store fails/)]);
    // The circuit is still open: the next decision does not wait.
    expect(await slow.consume([])).toBeUndefined();
  });

  it('opens the circuit only after failures in a row', async () => {
    for (let time = 0; time < 20; time++) {
      store.behaviour = time % 2 === 0 ? 'reject' : 'answer';
      await guarded.consume([]);
    }
    expect(store.calls).toBe(20);
  });

  const methods: [
    title: string,
    call: (store: GuardedStore) => Promise<unknown>,
    failed: unknown,
    done: unknown,
  ][] = [
    ['settle', store => store.settle([], -1, 0), undefined, GRANTED],
    ['renew', store => store.renew([], 0), undefined, GRANTED],
    ['reset', store => store.reset([]), false, true],
  ];
  describe.each(methods)('%s', (_title, call, failed, done) => {
    it('returns what the store answers', async () => {
      expect(await call(guarded)).toBe(done);
    });

    it.each(['reject', 'throw'] as const)('does not reject if the store would %s', async behaviour => {
      store.behaviour = behaviour;
      expect(await call(guarded)).toBe(failed);
      expect(lines).toHaveLength(1);
    });

    it('waits for a store that hangs until the deadline and no longer', async () => {
      store.behaviour = 'hang';
      const answer = call(guarded);
      await jest.advanceTimersByTimeAsync(DEADLINE_MS);
      expect(await answer).toBe(failed);
    });

    it('sends nothing to a store that keeps failing', async () => {
      await failOften();
      await guarded.consume([]);
      const { calls } = store;
      expect(await call(guarded)).toBe(failed);
      expect(store.calls).toBe(calls);
    });

    it('does nothing if the store has no such method', async () => {
      const bare = new GuardedStore({ consume: () => Promise.resolve(GRANTED) }, clock, log);
      expect(await call(bare)).toBe(failed);
      expect(lines).toEqual([]);
    });
  });

  it('emits one event for each change', async () => {
    const events = new SecurityEvents();
    const seen: unknown[] = [];
    events.on('limit.store', event => seen.push(event));
    guarded = new GuardedStore(store, clock, log, events);
    await failOften();
    store.behaviour = 'answer';
    clock.advance(1_000);
    await guarded.consume([]);
    await jest.advanceTimersByTimeAsync(0);
    await guarded.consume([]);
    expect(seen).toEqual([
      {
        type: 'limit.store',
        timeMs: expect.any(Number),
        state: 'failing',
        reason: 'ECONNREFUSED redis://:[redacted]@cache.test',
      },
      { type: 'limit.store', timeMs: expect.any(Number), state: 'healed' },
    ]);
  });
});

const few = createPolicy({ limit: 5, windowMs: 1_000 });
const many = createPolicy({ limit: 50, windowMs: 60_000 });
const shadow = createPolicy({ limit: 5, windowMs: 2_000, shadow: true });
const stateOf = (policy = few, parts: Partial<PolicyState> = {}): PolicyState => ({
  policy,
  remaining: 3,
  resetMs: 700,
  violated: false,
  ...parts,
});
const denying = { remaining: 0, violated: true };
const chargeOf = (cost = 1, policies = [few, many]): StoredCharge => ({ key: 'all:a', policies, cost });

function setUp(store: QuotaStore) {
  const lines: string[] = [];
  const note = (line: string): void => void lines.push(line);
  const guarded = new GuardedStore(store, new ManualClock(), { log: note, error: note });
  return { guarded, lines };
}

describe('GuardedStore over a faulty store', () => {
  const both = [stateOf(few), stateOf(many)];
  const lies: [title: string, answer: unknown, charges?: StoredCharge[]][] = [
    ['nothing', undefined],
    ['a list', [both]],
    ['granted in words', { granted: 'yes', policyStates: both }],
    ['no policy states', { granted: true }],
    ['a grant without policy states', { granted: true, policyStates: [] }],
    ['a denial without policy states', { granted: false, policyStates: [] }],
    ['too few policy states', { granted: true, policyStates: [stateOf(few)] }],
    ['too many policy states', { granted: true, policyStates: [...both, stateOf(few)] }],
    ['the state of one policy twice', { granted: true, policyStates: [stateOf(few), stateOf(few)] }],
    ['null as a policy state', { granted: true, policyStates: [null, null] }],
    ['empty policy states', { granted: true, policyStates: [{}, {}] }],
    [
      'undefined as a policy state after a denial',
      { granted: false, policyStates: [stateOf(few, denying), undefined] },
    ],
    ['another order', { granted: true, policyStates: both.toReversed() }],
    ['the state of another policy', { granted: true, policyStates: [stateOf(few), stateOf(shadow)] }],
    ['a denial in which no policy denies', { granted: false, policyStates: both }],
    [
      'a denial by a policy in shadow mode',
      { granted: false, policyStates: [stateOf(shadow, denying)] },
      [chargeOf(1, [shadow])],
    ],
    ...[Number.NaN, -5, 1.5, 1e300, Infinity, '3', undefined].map((remaining): [string, unknown] => [
      `${String(remaining)} units left`,
      { granted: true, policyStates: [stateOf(few), stateOf(many, { remaining: remaining as number })] },
    ]),
    ...[Number.NaN, -1, 1e300, Infinity, '700', undefined].map((resetMs): [string, unknown] => [
      `a reset in ${String(resetMs)} ms`,
      { granted: true, policyStates: [stateOf(few, { resetMs: resetMs as number }), stateOf(many)] },
    ]),
    [
      '1 for violated',
      { granted: false, policyStates: [stateOf(few, { violated: 1 as never }), stateOf(many)] },
    ],
  ];

  it.each(lies)('treats %s as a failure', async (_title, answer, charges = [chargeOf()]) => {
    const { guarded, lines } = setUp({
      consume: () => Promise.resolve(answer as QuotaDecision),
      settle: () => Promise.resolve(answer as QuotaDecision),
    });
    expect(await guarded.consume(charges)).toBeUndefined();
    expect(await guarded.settle(charges, 1, 0)).toBeUndefined();
    expect(lines).toEqual([expect.stringMatching(/^The rate-limit store fails \(it/)]);
  });

  it('opens the circuit for such failures', async () => {
    let calls = 0;
    const { guarded } = setUp({
      consume: () => (calls++, Promise.resolve({ granted: true, policyStates: [null as never] })),
    });
    for (let time = 0; time < 10; time++) await guarded.consume([chargeOf()]);
    expect(calls).toBe(6); // the sixth probes the store
  });

  const truths: [title: string, decision: QuotaDecision, charges?: StoredCharge[]][] = [
    ['a grant', { granted: true, policyStates: both }],
    ['a denial', { granted: false, policyStates: [stateOf(few), stateOf(many, denying)] }],
    [
      'a denial that ends with the policy that denies',
      { granted: false, policyStates: [stateOf(few, denying)] },
    ],
    [
      'a denial without a reset, of a cost above the limit',
      { granted: false, policyStates: [stateOf(few, { ...denying, resetMs: Infinity }), stateOf(many)] },
      [chargeOf(6)],
    ],
    [
      'a grant that a policy in shadow mode would have denied',
      { granted: true, policyStates: [stateOf(shadow, denying), stateOf(many)] },
      [chargeOf(1, [shadow, many])],
    ],
    ['the state of a policy that was charged nothing', { granted: true, policyStates: both }, [chargeOf(0)]],
    [
      'no state of a policy that was charged nothing',
      { granted: true, policyStates: both },
      [chargeOf(0, [shadow]), chargeOf(1)],
    ],
    [
      'the charges of several partition keys',
      { granted: true, policyStates: [...both, ...both] },
      [chargeOf(), chargeOf()],
    ],
  ];

  it.each(truths)('accepts %s', async (_title, decision, charges = [chargeOf()]) => {
    const { guarded, lines } = setUp({ consume: () => Promise.resolve(decision) });
    expect(await guarded.consume(charges)).toBe(decision);
    expect(lines).toEqual([]);
  });
});

describe('GuardedStore and invalid charges', () => {
  const invalid: [title: string, charge: Partial<Record<keyof StoredCharge, unknown>>][] = [
    ['a key that is not a string', { key: 5 }],
    ['a partition key that is not a string', { partitionKey: { id: 5 } }],
    ['a cost of NaN', { cost: Number.NaN }],
    ['a negative cost', { cost: -1 }],
    ['a part of a unit', { cost: 0.5 }],
  ];

  it.each(invalid)('rejects %s, which is no failure of the store', async (_title, parts) => {
    const consume = jest.fn(() =>
      Promise.resolve({ granted: true, policyStates: [stateOf(few), stateOf(many)] }),
    );
    const { guarded, lines } = setUp({
      consume,
      settle: consume,
      renew: consume,
      reset: async () => undefined,
    });
    const charges = [{ ...chargeOf(), ...parts } as StoredCharge];
    for (let time = 0; time < 6; time++) {
      await expect(guarded.consume(charges)).rejects.toThrow(InvalidChargeError);
      await expect(guarded.settle(charges, 1, 0)).rejects.toThrow(InvalidChargeError);
      await expect(guarded.renew(charges, 0)).rejects.toThrow(InvalidChargeError);
      await expect(guarded.reset(charges)).rejects.toThrow(InvalidChargeError);
    }
    expect(consume).not.toHaveBeenCalled();
    expect(await guarded.consume([chargeOf()])).toMatchObject({ granted: true });
    expect(lines).toEqual([]);
  });

  it('shows no key in its message', async () => {
    const { guarded } = setUp({ consume: () => Promise.reject(new Error('not called')) });
    const charge = { ...chargeOf(), partitionKey: ['secret'] as never };
    await expect(guarded.consume([charge])).rejects.toThrow('must be a text, received one of type object');
  });

  it.each([Number.NaN, 0.5, 1e300])('rejects %p units to settle', async units => {
    const { guarded, lines } = setUp({
      consume: () => Promise.reject(new Error('not called')),
      settle: () => Promise.reject(new Error('not called')),
    });
    await expect(guarded.settle([chargeOf()], units, 0)).rejects.toThrow(InvalidChargeError);
    expect(lines).toEqual([]);
  });

  it('passes on an InvalidChargeError of the store', async () => {
    const { guarded, lines } = setUp({
      consume: () => {
        throw new InvalidChargeError('too much');
      },
    });
    for (let time = 0; time < 6; time++)
      await expect(guarded.consume([chargeOf()])).rejects.toThrow(new InvalidChargeError('too much'));
    expect(lines).toEqual([]);
  });

  it.each([new TypeError('no text'), new Error('not connected')])(
    'keeps the circuit closed if the store throws at once: %s',
    async error => {
      const { guarded, lines } = setUp({
        consume: ([charge]) => {
          if (charge!.key === 'bad') throw error;
          return Promise.resolve({ granted: true, policyStates: [stateOf(few), stateOf(many)] });
        },
      });
      for (let time = 0; time < 6; time++)
        expect(await guarded.consume([{ ...chargeOf(), key: 'bad' }])).toBeUndefined();
      expect(lines).toEqual([expect.stringContaining(error.message)]);
      expect(await guarded.consume([chargeOf()])).toMatchObject({ granted: true });
    },
  );
});

describe('leases of a store that is late or fails', () => {
  const concurrent = createPolicy({ limit: 5, windowMs: 60_000, algorithm: 'concurrency' });
  const window = createPolicy({ limit: 5, windowMs: 60_000 });
  const charges: StoredCharge[] = [{ key: 'a', policies: [window, concurrent], cost: 1 }];
  const policyState = (policy: typeof concurrent, violated = false): PolicyState => ({
    policy,
    remaining: 4,
    resetMs: 0,
    violated,
  });
  const granted: QuotaDecision = {
    granted: true,
    policyStates: [policyState(window), policyState(concurrent)],
  };
  const log = { log: (): void => undefined, error: (): void => undefined };

  let taken = 0;
  let answers: (() => void)[] = [];
  let isHeld = false;
  let fails = false;
  const settled: (readonly [rules: string[], units: number, ageMs: number])[] = [];
  const store: QuotaStore = {
    consume: async ([charge]) => {
      if (isHeld) await new Promise<void>(resolve => answers.push(resolve));
      if (fails) throw new Error('gone');
      taken += charge!.cost;
      return charge!.cost === 0 ? { granted: true, policyStates: [] } : granted;
    },
    settle: async ([charge], units, ageMs) => {
      if (isHeld) await new Promise<void>(resolve => answers.push(resolve));
      if (fails) throw new Error('gone');
      settled.push([charge!.policies.map(({ algorithm }) => algorithm), units, ageMs]);
      taken += units;
      return { granted: true, policyStates: charge!.policies.map(policy => policyState(policy)) };
    },
  };
  let clock = new ManualClock();
  let guarded = new GuardedStore(store, clock, log);
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'clearImmediate'] });
    taken = 0;
    answers = [];
    isHeld = fails = false;
    settled.length = 0;
    clock = new ManualClock();
    guarded = new GuardedStore(store, clock, log);
  });
  afterEach(() => jest.useRealTimers());
  const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
  const openCircuit = async (): Promise<void> => {
    fails = true;
    for (let time = 0; time < 5; time++) await guarded.consume(charges);
  };

  it('gives back leases that were granted after the deadline, and nothing else', async () => {
    isHeld = true;
    const decision = guarded.consume(charges);
    await jest.advanceTimersByTimeAsync(DEADLINE_MS);
    expect(await decision).toBeUndefined();
    isHeld = false;
    answers.forEach(answer => answer());
    await turn();
    expect(settled).toEqual([[['concurrency'], -1, 0]]);
  });

  it('gives back leases that were granted to the probe', async () => {
    await openCircuit();
    fails = false;
    clock.advance(1_000);
    expect(await guarded.consume(charges)).toBeUndefined();
    await turn();
    expect(taken).toBe(0);
    expect(await guarded.consume(charges)).toBe(granted);
  });

  it('sends a release again when the store answers again', async () => {
    expect(await guarded.consume(charges)).toBe(granted);
    const leasedMs = clock.monotonicMs();
    const leased = [{ ...charges[0]!, policies: [concurrent] }];
    await openCircuit();
    guarded.release(leased, leasedMs);
    await turn();
    expect(settled).toEqual([]);
    fails = false;
    clock.advance(1_000);
    await guarded.consume(charges);
    await turn();
    // The second is the lease of the probe.
    expect(settled).toEqual([
      [['concurrency'], -1, 1_000],
      [['concurrency'], -1, 0],
    ]);
    expect(taken).toBe(0);
  });

  it('sends a release once, even if the store is late', async () => {
    await guarded.consume(charges);
    isHeld = true;
    guarded.release([{ ...charges[0]!, policies: [concurrent] }], clock.monotonicMs());
    await jest.advanceTimersByTimeAsync(10 * DEADLINE_MS);
    isHeld = false;
    await guarded.consume(charges);
    answers.forEach(answer => answer());
    await guarded.released();
    expect(settled).toHaveLength(1);
  });

  it('drops a release that the store never accepts', async () => {
    const denying = new GuardedStore(
      { ...store, settle: () => Promise.reject(new Error('WRONGTYPE')) },
      clock,
      log,
    );
    const settle = jest.spyOn(denying['store'], 'settle');
    denying.release(charges, clock.monotonicMs());
    for (let time = 0; time < 10; time++) {
      await turn();
      await denying.consume(charges);
    }
    expect(settle).toHaveBeenCalledTimes(5);
  });
});
