import { GuardedStore, InvalidChargeError } from '../../../src/limiter/store/guarded-store.js';
import type { PolicyState, QuotaDecision } from '../../../src/limiter/consume.js';
import { createPolicy } from '../../../src/limiter/policy.js';
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
        return Promise.reject(new Error('ECONNREFUSED'));
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

  it('hands on what the store decides', async () => {
    expect(await guarded.consume([])).toBe(GRANTED);
    expect(lines).toEqual([]);
  });

  it.each(['reject', 'throw'] as const)('has no decision where the store would %s', async behaviour => {
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

  it('leaves no timer behind an answer', async () => {
    await guarded.consume([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does not ask a store that keeps failing', async () => {
    await failOften();
    const { calls } = store;
    await guarded.consume([]); // the first decision behind the failures tries it, without waiting
    for (let time = 0; time < 10; time++) expect(await guarded.consume([])).toBeUndefined();
    expect(store.calls).toBe(calls + 1);
  });

  it('does not wait for a hanging store while the circuit is open', async () => {
    await failOften();
    store.behaviour = 'hang';
    expect(await guarded.consume([])).toBeUndefined();
  });

  it('heals by itself, with one line for each change', async () => {
    await failOften();
    store.behaviour = 'answer';
    clock.advance(1_000);
    expect(await guarded.consume([])).toBeUndefined();
    await jest.advanceTimersByTimeAsync(0);
    expect(await guarded.consume([])).toBe(GRANTED);
    expect(lines).toEqual([
      expect.stringMatching(/^error The rate-limit store fails \(ECONNREFUSED\)/),
      'log The rate-limit store answers again.',
    ]);
  });

  it('does not take an answer that comes late for health, nor its failure for another one', async () => {
    const late: ((decision: QuotaDecision) => void)[] = [];
    const slow = new GuardedStore({ consume: () => new Promise(resolve => late.push(resolve)) }, clock, log);
    const asked = [1, 2, 3, 4, 5].map(() => slow.consume([]));
    await jest.advanceTimersByTimeAsync(DEADLINE_MS);
    await Promise.all(asked);
    for (const answer of late) answer(GRANTED);
    await jest.advanceTimersByTimeAsync(0);
    expect(lines).toEqual([expect.stringMatching(/^error The rate-limit store fails/)]);
    // The circuit is still open: the next one is not waited for.
    expect(await slow.consume([])).toBeUndefined();
  });

  it('closes the circuit only for failures in a row', async () => {
    for (let time = 0; time < 20; time++) {
      store.behaviour = time % 2 === 0 ? 'reject' : 'answer';
      await guarded.consume([]);
    }
    expect(store.calls).toBe(20);
  });

  const methods: [
    title: string,
    ask: (store: GuardedStore) => Promise<unknown>,
    failed: unknown,
    done: unknown,
  ][] = [
    ['settle', store => store.settle([], -1, 0), undefined, GRANTED],
    ['renew', store => store.renew([], 0), undefined, GRANTED],
    ['reset', store => store.reset([]), false, true],
  ];
  describe.each(methods)('%s', (_title, ask, failed, done) => {
    it('hands on what the store answers', async () => {
      expect(await ask(guarded)).toBe(done);
    });

    it.each(['reject', 'throw'] as const)('rejects not where the store would %s', async behaviour => {
      store.behaviour = behaviour;
      expect(await ask(guarded)).toBe(failed);
      expect(lines).toHaveLength(1);
    });

    it('waits for a store that hangs until the deadline and no longer', async () => {
      store.behaviour = 'hang';
      const answer = ask(guarded);
      await jest.advanceTimersByTimeAsync(DEADLINE_MS);
      expect(await answer).toBe(failed);
    });

    it('asks no store that keeps failing', async () => {
      await failOften();
      await guarded.consume([]);
      const { calls } = store;
      expect(await ask(guarded)).toBe(failed);
      expect(store.calls).toBe(calls);
    });

    it('is left out where the store has none', async () => {
      const bare = new GuardedStore({ consume: () => Promise.resolve(GRANTED) }, clock, log);
      expect(await ask(bare)).toBe(failed);
      expect(lines).toEqual([]);
    });
  });

  it('tells of each change once', async () => {
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
      { type: 'limit.store', timeMs: expect.any(Number), state: 'failing', reason: 'ECONNREFUSED' },
      { type: 'limit.store', timeMs: expect.any(Number), state: 'healed' },
    ]);
  });
});

const few = createPolicy({ limit: 5, windowMs: 1_000 });
const many = createPolicy({ limit: 50, windowMs: 60_000 });
const trial = createPolicy({ limit: 5, windowMs: 2_000, shadow: true });
const stands = (policy = few, parts: Partial<PolicyState> = {}): PolicyState => ({
  policy,
  remaining: 3,
  resetMs: 700,
  violated: false,
  ...parts,
});
const refusing = { remaining: 0, violated: true };
const asking = (cost = 1, policies = [few, many]): StoredCharge => ({ key: 'all:a', policies, cost });

function setUp(store: QuotaStore) {
  const lines: string[] = [];
  const note = (line: string): void => void lines.push(line);
  const guarded = new GuardedStore(store, new ManualClock(), { log: note, error: note });
  return { guarded, lines };
}

describe('GuardedStore over a store that lies', () => {
  const both = [stands(few), stands(many)];
  const lies: [title: string, answer: unknown, charges?: StoredCharge[]][] = [
    ['nothing', undefined],
    ['a list', [both]],
    ['granted in words', { granted: 'yes', policyStates: both }],
    ['no standings', { granted: true }],
    ['a grant without standings', { granted: true, policyStates: [] }],
    ['a refusal without standings', { granted: false, policyStates: [] }],
    ['a standing too few', { granted: true, policyStates: [stands(few)] }],
    ['a standing too many', { granted: true, policyStates: [...both, stands(few)] }],
    ['null for a standing', { granted: true, policyStates: [null, null] }],
    ['empty standings', { granted: true, policyStates: [{}, {}] }],
    [
      'nothing for a standing behind a refusal',
      { granted: false, policyStates: [stands(few, refusing), undefined] },
    ],
    ['another order', { granted: true, policyStates: both.toReversed() }],
    ['the standing of another policy', { granted: true, policyStates: [stands(few), stands(trial)] }],
    ['a refusal in which no limit refuses', { granted: false, policyStates: both }],
    [
      'a refusal by a limit on trial',
      { granted: false, policyStates: [stands(trial, refusing)] },
      [asking(1, [trial])],
    ],
    [
      'a grant in which a limit refuses',
      { granted: true, policyStates: [stands(few), stands(many, refusing)] },
    ],
    ...[Number.NaN, -5, 1.5, 1e300, Infinity, '3', undefined].map((remaining): [string, unknown] => [
      `${String(remaining)} units left`,
      { granted: true, policyStates: [stands(few), stands(many, { remaining: remaining as number })] },
    ]),
    ...[Number.NaN, -1, 1e300, Infinity, '700', undefined].map((resetMs): [string, unknown] => [
      `a reset in ${String(resetMs)} ms`,
      { granted: true, policyStates: [stands(few, { resetMs: resetMs as number }), stands(many)] },
    ]),
    [
      'never, of a request that is within the limit',
      { granted: false, policyStates: [stands(few, { ...refusing, resetMs: Infinity }), stands(many)] },
    ],
    [
      '1 for violated',
      { granted: false, policyStates: [stands(few, { violated: 1 as never }), stands(many)] },
    ],
  ];

  it.each(lies)('takes %s for a failure', async (_title, answer, charges = [asking()]) => {
    const { guarded, lines } = setUp({
      consume: () => Promise.resolve(answer as QuotaDecision),
      settle: () => Promise.resolve(answer as QuotaDecision),
    });
    expect(await guarded.consume(charges)).toBeUndefined();
    expect(await guarded.settle(charges, 1, 0)).toBeUndefined();
    expect(lines).toEqual([expect.stringMatching(/^The rate-limit store fails \(it/)]);
  });

  it('opens the circuit as any failure does', async () => {
    let calls = 0;
    const { guarded } = setUp({
      consume: () => (calls++, Promise.resolve({ granted: true, policyStates: [null as never] })),
    });
    for (let time = 0; time < 10; time++) await guarded.consume([asking()]);
    expect(calls).toBe(6); // the sixth tries it, and nobody waits
  });

  const truths: [title: string, decision: QuotaDecision, charges?: StoredCharge[]][] = [
    ['a grant', { granted: true, policyStates: both }],
    ['a refusal', { granted: false, policyStates: [stands(few), stands(many, refusing)] }],
    [
      'a refusal that ends with the limit that refuses',
      { granted: false, policyStates: [stands(few, refusing)] },
    ],
    [
      'a refusal for ever, of what costs more than the limit',
      { granted: false, policyStates: [stands(few, { ...refusing, resetMs: Infinity }), stands(many)] },
      [asking(6)],
    ],
    [
      'a grant that a limit on trial would have refused',
      { granted: true, policyStates: [stands(trial, refusing), stands(many)] },
      [asking(1, [trial, many])],
    ],
    ['what costs nothing, told', { granted: true, policyStates: both }, [asking(0)]],
    ['what costs nothing, left out', { granted: true, policyStates: both }, [asking(0, [trial]), asking(1)]],
    [
      'the charges of several owners',
      { granted: true, policyStates: [...both, ...both] },
      [asking(), asking()],
    ],
  ];

  it.each(truths)('believes %s', async (_title, decision, charges = [asking()]) => {
    const { guarded, lines } = setUp({ consume: () => Promise.resolve(decision) });
    expect(await guarded.consume(charges)).toBe(decision);
    expect(lines).toEqual([]);
  });
});

describe('GuardedStore and questions that cannot be asked', () => {
  const unaskable: [title: string, charge: Partial<Record<keyof StoredCharge, unknown>>][] = [
    ['a key that is no text', { key: 5 }],
    ['an owner that is no text', { partitionKey: { id: 5 } }],
    ['a cost of NaN', { cost: Number.NaN }],
    ['a negative cost', { cost: -1 }],
    ['a part of a unit', { cost: 0.5 }],
  ];

  it.each(unaskable)('tells the caller of %s, and no failure of the store', async (_title, parts) => {
    const consume = jest.fn(() =>
      Promise.resolve({ granted: true, policyStates: [stands(few), stands(many)] }),
    );
    const { guarded, lines } = setUp({
      consume,
      settle: consume,
      renew: consume,
      reset: async () => undefined,
    });
    const charges = [{ ...asking(), ...parts } as StoredCharge];
    for (let time = 0; time < 6; time++) {
      await expect(guarded.consume(charges)).rejects.toThrow(InvalidChargeError);
      await expect(guarded.settle(charges, 1, 0)).rejects.toThrow(InvalidChargeError);
      await expect(guarded.renew(charges, 0)).rejects.toThrow(InvalidChargeError);
      await expect(guarded.reset(charges)).rejects.toThrow(InvalidChargeError);
    }
    expect(consume).not.toHaveBeenCalled();
    expect(await guarded.consume([asking()])).toMatchObject({ granted: true });
    expect(lines).toEqual([]);
  });

  it('shows no key in its message', async () => {
    const { guarded } = setUp({ consume: () => Promise.reject(new Error('not asked')) });
    const charge = { ...asking(), partitionKey: ['secret'] as never };
    await expect(guarded.consume([charge])).rejects.toThrow('must be a text, received one of type object');
  });

  it.each([Number.NaN, 0.5, 1e300])('tells the caller of %p units to settle', async units => {
    const { guarded, lines } = setUp({
      consume: () => Promise.reject(new Error('not asked')),
      settle: () => Promise.reject(new Error('not asked')),
    });
    await expect(guarded.settle([asking()], units, 0)).rejects.toThrow(InvalidChargeError);
    expect(lines).toEqual([]);
  });

  it('tells the caller what a store says that it cannot be asked', async () => {
    const { guarded, lines } = setUp({
      consume: () => {
        throw new InvalidChargeError('too much');
      },
    });
    for (let time = 0; time < 6; time++)
      await expect(guarded.consume([asking()])).rejects.toThrow(new InvalidChargeError('too much'));
    expect(lines).toEqual([]);
  });

  it.each([new TypeError('no text'), new Error('not connected')])(
    'opens no circuit for what a store throws at once: %s',
    async error => {
      const { guarded, lines } = setUp({
        consume: ([charge]) => {
          if (charge!.key === 'bad') throw error;
          return Promise.resolve({ granted: true, policyStates: [stands(few), stands(many)] });
        },
      });
      for (let time = 0; time < 6; time++)
        expect(await guarded.consume([{ ...asking(), key: 'bad' }])).toBeUndefined();
      expect(lines).toEqual([expect.stringContaining(error.message)]);
      expect(await guarded.consume([asking()])).toMatchObject({ granted: true });
    },
  );
});

describe('slots of a store that is late or fails', () => {
  const slots = createPolicy({ limit: 5, windowMs: 60_000, algorithm: 'concurrency' });
  const window = createPolicy({ limit: 5, windowMs: 60_000 });
  const charges: StoredCharge[] = [{ key: 'a', policies: [window, slots], cost: 1 }];
  const policyState = (policy: typeof slots, violated = false): PolicyState => ({
    policy,
    remaining: 4,
    resetMs: 0,
    violated,
  });
  const granted: QuotaDecision = { granted: true, policyStates: [policyState(window), policyState(slots)] };
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
      settled.push([charge!.policies.map(({ rule }) => rule), units, ageMs]);
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

  it('gives back what was granted after the deadline, and nothing else', async () => {
    isHeld = true;
    const decision = guarded.consume(charges);
    await jest.advanceTimersByTimeAsync(DEADLINE_MS);
    expect(await decision).toBeUndefined();
    isHeld = false;
    answers.forEach(answer => answer());
    await turn();
    expect(settled).toEqual([[['concurrency'], -1, 0]]);
  });

  it('gives back what was granted to find out whether the store answers again', async () => {
    await openCircuit();
    fails = false;
    clock.advance(1_000);
    expect(await guarded.consume(charges)).toBeUndefined();
    await turn();
    expect(taken).toBe(0);
    expect(await guarded.consume(charges)).toBe(granted);
  });

  it('sends a release that fell into a failure when the store answers again', async () => {
    expect(await guarded.consume(charges)).toBe(granted);
    const leasedMs = clock.monotonicMs();
    const leased = [{ ...charges[0]!, policies: [slots] }];
    await openCircuit();
    guarded.release(leased, leasedMs);
    await turn();
    expect(settled).toEqual([]);
    fails = false;
    clock.advance(1_000);
    await guarded.consume(charges);
    await turn();
    // And one for what was granted to find out.
    expect(settled).toEqual([
      [['concurrency'], -1, 1_000],
      [['concurrency'], -1, 0],
    ]);
    expect(taken).toBe(0);
  });

  it('sends a release once that the store does late', async () => {
    await guarded.consume(charges);
    isHeld = true;
    guarded.release([{ ...charges[0]!, policies: [slots] }], clock.monotonicMs());
    await jest.advanceTimersByTimeAsync(10 * DEADLINE_MS);
    isHeld = false;
    await guarded.consume(charges);
    answers.forEach(answer => answer());
    await guarded.released();
    expect(settled).toHaveLength(1);
  });

  it('gives up a release that the store never takes', async () => {
    const refusing = new GuardedStore(
      { ...store, settle: () => Promise.reject(new Error('WRONGTYPE')) },
      clock,
      log,
    );
    const settle = jest.spyOn(refusing['store'], 'settle');
    refusing.release(charges, clock.monotonicMs());
    for (let time = 0; time < 10; time++) {
      await turn();
      await refusing.consume(charges);
    }
    expect(settle).toHaveBeenCalledTimes(5);
  });
});
