import { GuardedStore } from '../../src/rate-limit/guarded-store.js';
import type { Verdict } from '../../src/rate-limit/judge.js';
import type { QuotaStore } from '../../src/rate-limit/quota-store.js';
import { SecurityEvents } from '../../src/common/security-events.js';
import { ManualClock } from '../support/clock.js';

const GRANTED: Verdict = { granted: true, standings: [] };
const DEADLINE_MS = 100;

/** A store whose behaviour a test changes on the way. */
class ScriptedStore implements QuotaStore {
  calls = 0;
  behaviour: 'answer' | 'reject' | 'throw' | 'hang' = 'answer';

  judge(): Promise<Verdict> {
    return this.answer();
  }

  settle(): Promise<Verdict> {
    return this.answer();
  }

  renew(): Promise<Verdict> {
    return this.answer();
  }

  async reset(): Promise<void> {
    await this.answer();
  }

  private answer(): Promise<Verdict> {
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
    for (let time = 0; time < 5; time++) await guarded.judge([]);
  };

  it('hands on what the store decides', async () => {
    expect(await guarded.judge([])).toBe(GRANTED);
    expect(lines).toEqual([]);
  });

  it.each(['reject', 'throw'] as const)('has no decision where the store would %s', async behaviour => {
    store.behaviour = behaviour;
    expect(await guarded.judge([])).toBeUndefined();
  });

  it('waits for a store that hangs until the deadline and no longer', async () => {
    store.behaviour = 'hang';
    let settled = false;
    const decision = guarded.judge([]).finally(() => (settled = true));
    await jest.advanceTimersByTimeAsync(DEADLINE_MS - 1);
    expect(settled).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(await decision).toBeUndefined();
  });

  it('leaves no timer behind an answer', async () => {
    await guarded.judge([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does not ask a store that keeps failing', async () => {
    await failOften();
    const { calls } = store;
    await guarded.judge([]); // the first decision behind the failures tries it, without waiting
    for (let time = 0; time < 10; time++) expect(await guarded.judge([])).toBeUndefined();
    expect(store.calls).toBe(calls + 1);
  });

  it('does not wait for a hanging store while the circuit is open', async () => {
    await failOften();
    store.behaviour = 'hang';
    expect(await guarded.judge([])).toBeUndefined();
  });

  it('heals by itself, with one line for each change', async () => {
    await failOften();
    store.behaviour = 'answer';
    clock.advance(1_000);
    expect(await guarded.judge([])).toBeUndefined();
    await jest.advanceTimersByTimeAsync(0);
    expect(await guarded.judge([])).toBe(GRANTED);
    expect(lines).toEqual([
      expect.stringMatching(/^error The rate-limit store fails \(ECONNREFUSED\)/),
      'log The rate-limit store answers again.',
    ]);
  });

  it('does not take an answer that comes late for health, nor its failure for another one', async () => {
    const late: ((verdict: Verdict) => void)[] = [];
    const slow = new GuardedStore({ judge: () => new Promise(resolve => late.push(resolve)) }, clock, log);
    const asked = [1, 2, 3, 4, 5].map(() => slow.judge([]));
    await jest.advanceTimersByTimeAsync(DEADLINE_MS);
    await Promise.all(asked);
    for (const answer of late) answer(GRANTED);
    await jest.advanceTimersByTimeAsync(0);
    expect(lines).toEqual([expect.stringMatching(/^error The rate-limit store fails/)]);
    // The circuit is still open: the next one is not waited for.
    expect(await slow.judge([])).toBeUndefined();
  });

  it('closes the circuit only for failures in a row', async () => {
    for (let time = 0; time < 20; time++) {
      store.behaviour = time % 2 === 0 ? 'reject' : 'answer';
      await guarded.judge([]);
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
      await guarded.judge([]);
      const { calls } = store;
      expect(await ask(guarded)).toBe(failed);
      expect(store.calls).toBe(calls);
    });

    it('is left out where the store has none', async () => {
      const bare = new GuardedStore({ judge: () => Promise.resolve(GRANTED) }, clock, log);
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
    await guarded.judge([]);
    await jest.advanceTimersByTimeAsync(0);
    await guarded.judge([]);
    expect(seen).toEqual([
      { type: 'limit.store', timeMs: expect.any(Number), state: 'failing', reason: 'ECONNREFUSED' },
      { type: 'limit.store', timeMs: expect.any(Number), state: 'healed' },
    ]);
  });
});
