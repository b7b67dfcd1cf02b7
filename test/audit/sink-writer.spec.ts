/* The queue of a sink: its bound, what is dropped, what is rejected, and how the sink recovers. */
import { AuditTrail } from '../../src/audit/audit-trail.js';
import { resolveAudit } from '../../src/audit/audit.options.js';
import type { AuditLine } from '../../src/audit/audit-record.js';
import type { AuditSink } from '../../src/audit/audit-sink.js';
import { SecurityEvents } from '../../src/events/security-events.js';
import type { SecurityEvent } from '../../src/index.js';
import { ManualClock } from '../support/clock.js';

/** A sink whose every write waits until the test settles it. */
class HeldSink implements AuditSink {
  readonly name = 'held';
  readonly written: AuditLine[] = [];
  #waiting: { lines: readonly AuditLine[]; resolve: () => void; reject: (error: Error) => void } | undefined;

  write(lines: readonly AuditLine[]): Promise<void> {
    if (this.#waiting !== undefined) throw new Error('two writes at one time');
    return new Promise((resolve, reject) => (this.#waiting = { lines, resolve, reject }));
  }

  /** Of each write that succeeded, in bytes. */
  readonly sizes: number[] = [];

  get batch(): number {
    return this.#waiting?.lines.length ?? 0;
  }

  async succeed(): Promise<void> {
    const { lines, resolve } = this.#waiting!;
    this.#waiting = undefined;
    this.written.push(...lines);
    this.sizes.push(lines.reduce((sum, { text }) => sum + text.length, 0));
    resolve();
    await new Promise(setImmediate);
  }

  async fail(reason: string): Promise<void> {
    const { reject } = this.#waiting!;
    this.#waiting = undefined;
    reject(new Error(reason));
    await new Promise(setImmediate);
  }

  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { record } of this.written)
      counts[record.event] = (counts[record.event] ?? 0) + (record.count ?? 1);
    return counts;
  }
}

const logged: string[] = [];
const setUp = (maxQueued = 16, maxParamsChars?: number) =>
  setUpWith(new HeldSink(), maxQueued, maxParamsChars);
const setUpWith = <S extends AuditSink>(sink: S, maxQueued = 16, maxParamsChars?: number) => {
  const events = new SecurityEvents();
  const emitted: SecurityEvent[] = [];
  events.all.subscribe(event => emitted.push(event));
  const bounds = { maxQueued, ...(maxParamsChars === undefined ? {} : { maxParamsChars }) };
  const options = resolveAudit({ sinks: [sink], ...bounds }, () => undefined);
  const clock = new ManualClock();
  const log = { log: (text: string) => logged.push(text), error: (text: string) => logged.push(text) };
  const trail = new AuditTrail(options, [sink], events, clock, log);
  return { sink, trail, emitted, clock };
};
const entry = (impact: 'low' | 'medium' | 'high') => ({ tool: 't', impact });

beforeEach(() => {
  logged.splice(0);
  jest.useFakeTimers({ doNotFake: ['setImmediate'] });
});
afterEach(() => jest.useRealTimers());

it('waits for a record of impact high, and not for another', async () => {
  const { sink, trail } = setUp();
  expect((await trail.begin(entry('low'))).recorded).toBe(true);
  expect((await trail.begin(entry('medium'))).recorded).toBe(true);
  let begun = false;
  const start = trail.begin(entry('high')).then(({ recorded }) => (begun = recorded));
  await new Promise(setImmediate);
  expect([begun, sink.batch]).toEqual([false, 1]);
  await sink.succeed();
  expect([begun, await start]).toEqual([true, true]);
});

it('writes waiting records together', async () => {
  const { sink, trail } = setUp(100);
  const starts = Array.from({ length: 20 }, () => trail.begin(entry('high')));
  expect(sink.batch).toBe(1);
  await sink.succeed();
  expect(sink.batch).toBe(19);
  await sink.succeed();
  expect((await Promise.all(starts)).every(({ recorded }) => recorded)).toBe(true);
});

it('drops and counts records of low impact at three quarters, and keeps all others', async () => {
  const { sink, trail } = setUp(16);
  const medium = await trail.begin(entry('medium'));
  for (let time = 0; time < 20; time++) {
    const low = await trail.begin(entry('low'));
    if (low.recorded) low.call.finish({ outcome: 'ok' });
  }
  if (medium.recorded) medium.call.finish({ outcome: 'ok' });
  while (sink.batch > 0) await sink.succeed();
  expect(sink.counts()).toEqual({ finished: 12, dropped: 9 });
  expect(sink.written.filter(({ record }) => record.impact === 'medium')).toHaveLength(1);
});

describe('a rejection', () => {
  const forbidden = { status: 403, code: 'forbidden' };

  it('without an agent is counted, and recorded once a minute per status and code', async () => {
    const { sink, trail, clock } = setUp();
    clock.advance(1_000);
    for (let time = 0; time < 5_000; time++) trail.reject(entry('high'), forbidden);
    for (let time = 0; time < 3; time++) trail.reject(entry('low'), { status: 401, code: 'forbidden' });
    trail.reject(entry('low'), { outcome: 'aborted' });
    jest.advanceTimersByTime(59_999);
    expect(sink.batch).toBe(0);
    clock.advance(60_000);
    jest.advanceTimersByTime(1);
    while (sink.batch > 0) await sink.succeed();
    const since = '2030-01-01T00:00:01.000Z';
    const time = '2030-01-01T00:01:01.000Z';
    expect(sink.written.map(({ text }) => JSON.parse(text))).toEqual([
      { time, event: 'rejections', outcome: 'rejected', ...forbidden, count: 5_000, since },
      { time, event: 'rejections', outcome: 'rejected', status: 401, code: 'forbidden', count: 3, since },
    ]);
    // There is room for two records of rejections: the third kind is recorded a minute later.
    jest.advanceTimersByTime(60_000);
    while (sink.batch > 0) await sink.succeed();
    expect(sink.written[2]!.record).toMatchObject({
      event: 'rejections',
      outcome: 'aborted',
      count: 1,
      since,
    });
    jest.advanceTimersByTime(600_000);
    expect([sink.batch, sink.written.length]).toEqual([0, 3]);
  });

  it('with a code that the client chooses uses no more than a stated number of records', async () => {
    const { sink, trail } = setUp(10_000);
    for (let time = 0; time < 1_000; time++) trail.reject(entry('low'), { code: `code-${time}` });
    for (let time = 0; time < 10; time++) trail.reject(entry('low'), { code: 'x'.repeat(1_000) + time });
    void trail.flush();
    while (sink.batch > 0) await sink.succeed();
    expect(sink.written).toHaveLength(65);
    expect(sink.counts()).toEqual({ rejections: 1_010 });
    expect(sink.written.at(-1)!.record).toMatchObject({ code: 'other', count: 946 });
  });

  it('of an agent is recorded in a share of its own, and counted beyond it', async () => {
    const { sink, trail } = setUp(80);
    const rejection = { ...entry('low'), agent: 'bot', params: { a: 1 } };
    for (let time = 0; time < 500; time++) trail.reject(rejection, forbidden);
    const served = Array.from({ length: 50 }, () => trail.begin(entry('low')));
    for (const start of await Promise.all(served)) if (start.recorded) start.call.finish({ outcome: 'ok' });
    void trail.flush();
    while (sink.batch > 0) await sink.succeed();
    void trail.flush();
    while (sink.batch > 0) await sink.succeed();
    expect(sink.counts()).toEqual({ rejected: 10, finished: 50, rejections: 490 });
    expect(sink.written[0]!.record).toMatchObject({ event: 'rejected', agent: 'bot', params: { a: 1 } });
    // With room again, again one by one.
    trail.reject(rejection, forbidden);
    await sink.succeed();
    expect(sink.counts()['rejected']).toBe(11);
  });

  it('is not redacted where it is only counted', async () => {
    const { trail } = setUp(16);
    const rejection = (agent?: string): boolean => {
      let isRead = false;
      const params = {
        get a(): number {
          isRead = true;
          return 1;
        },
      };
      trail.reject({ ...entry('low'), agent, params }, forbidden);
      return isRead;
    };
    expect([rejection(), rejection('bot'), rejection('bot'), rejection('bot')]).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });
});

it('writes no more bytes at once than a start can read back', async () => {
  const { sink, trail } = setUp(16, 1_048_576);
  const params = { list: Array.from({ length: 99 }, () => 'words '.repeat(170)) };
  const record = { ...entry('medium'), params: Array.from({ length: 10 }, () => params) };
  const starts = await Promise.all(Array.from({ length: 12 }, () => trail.begin(record)));
  for (const start of starts) if (start.recorded) start.call.finish({ outcome: 'ok' });
  while (sink.batch > 0) await sink.succeed();
  expect(sink.counts()).toEqual({ finished: 12 });
  expect(sink.sizes.length).toBe(3);
  expect(Math.max(...sink.sizes)).toBeLessThanOrEqual(8_388_608);
});

it('rejects what must not be lost while there is no room for it', async () => {
  const { sink, trail } = setUp(16);
  const calls = [];
  for (let time = 0; time < 16; time++) calls.push(await trail.begin(entry('medium')));
  expect(calls.every(({ recorded }) => recorded)).toBe(true);
  expect(await trail.begin(entry('medium'))).toMatchObject({
    recorded: false,
    problem: { status: 503, code: 'audit_unavailable' },
  });
  expect((await trail.begin(entry('high'))).recorded).toBe(false);
  for (const start of calls) if (start.recorded) start.call.finish({ outcome: 'ok' });
  while (sink.batch > 0) await sink.succeed();
  expect(sink.counts()).toEqual({ finished: 16 });
  expect((await trail.begin(entry('medium'))).recorded).toBe(true);
});

it('rejects the calls that wait when the sink fails, tries again, and loses nothing', async () => {
  const { sink, trail, emitted } = setUp();
  const first = trail.begin(entry('high'));
  await sink.fail('disk full');
  expect((await first).recorded).toBe(false);
  // The sink is known to fail: the next try delays no write.
  expect((await trail.begin(entry('high'))).recorded).toBe(false);
  expect(emitted).toMatchObject([
    { type: 'audit.failing', sink: 'held', state: 'failing', reason: 'disk full' },
  ]);
  for (const afterMs of [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
    expect(sink.batch).toBe(0);
    jest.advanceTimersByTime(afterMs - 1);
    await new Promise(setImmediate);
    expect(sink.batch).toBe(0);
    jest.advanceTimersByTime(1);
    await new Promise(setImmediate);
    expect(sink.batch).toBe(1);
    await sink.fail('still full');
  }
  jest.advanceTimersByTime(5_000);
  await sink.succeed();
  expect(emitted).toMatchObject([{ state: 'failing' }, { state: 'healed', dropped: 0 }]);
  expect(sink.counts()).toEqual({ started: 1 });
  expect(logged).toHaveLength(2);
  const again = trail.begin(entry('high'));
  await sink.succeed();
  expect((await again).recorded).toBe(true);
});

it('treats a sink that hangs as failing, and accepts its late success', async () => {
  const { sink, trail, emitted } = setUp();
  const start = trail.begin(entry('high'));
  jest.advanceTimersByTime(4_999);
  expect(emitted).toEqual([]);
  jest.advanceTimersByTime(1);
  expect((await start).recorded).toBe(false);
  expect(emitted).toMatchObject([{ state: 'failing', reason: 'no answer within 5000 ms' }]);
  await sink.succeed();
  expect(emitted).toHaveLength(2);
  expect(sink.counts()).toEqual({ started: 1 });
});

/** A sink whose calls never settle, but those that the test lets succeed. */
class HungSink implements AuditSink {
  readonly name = 'hung';
  readonly writes: { texts: string[]; signal: AbortSignal; succeed: () => void }[] = [];
  opens = false;
  closes = 0;

  write(lines: readonly AuditLine[], signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      this.writes.push({ texts: lines.map(({ text }) => text), signal, succeed: () => resolve() });
    });
  }
  async open(): Promise<void> {
    if (!this.opens) await new Promise(() => undefined);
  }
  close(): Promise<void> {
    this.closes++;
    return new Promise(() => undefined);
  }
}

describe('a sink that does not answer', () => {
  const advance = async (ms: number): Promise<void> => {
    jest.advanceTimersByTime(ms);
    await new Promise(setImmediate);
  };

  it('is tried again, with the same records, while its first write hangs', async () => {
    const { sink, trail, emitted } = setUpWith(new HungSink());
    const start = trail.begin(entry('high'));
    await advance(5_000);
    expect((await start).recorded).toBe(false);
    void trail.begin(entry('low')).then(low => low.recorded && low.call.finish({ outcome: 'ok' }));
    for (const [index, afterMs] of [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000].entries()) {
      await advance(afterMs - 1);
      expect(sink.writes).toHaveLength(index + 1);
      await advance(1);
      expect(sink.writes).toHaveLength(index + 2);
      await advance(5_000);
    }
    const [first] = sink.writes;
    expect(new Set(sink.writes.map(({ texts }) => texts.join()))).toEqual(new Set([first!.texts.join()]));
    expect(sink.writes.map(({ signal }) => signal.aborted)).toEqual(sink.writes.map(() => true));
    await advance(5_000);
    sink.writes.at(-1)!.succeed();
    await advance(0);
    expect(emitted).toMatchObject([
      { state: 'failing', reason: 'no answer within 5000 ms' },
      { state: 'healed' },
    ]);
    // What came meanwhile follows, and nothing comes twice.
    expect(sink.writes.at(-1)!.texts).toEqual([expect.stringContaining('"event":"finished"')]);
    sink.writes.at(-1)!.succeed();
    await advance(60_000);
    expect(sink.writes).toHaveLength(11);
  });

  it('may answer late, also while it is tried again, and is not given the records once more', async () => {
    const { sink, trail, emitted } = setUpWith(new HungSink());
    void trail.begin(entry('high'));
    await advance(5_000);
    await advance(100);
    expect(sink.writes).toHaveLength(2);
    sink.writes[0]!.succeed();
    await advance(0);
    expect(emitted).toMatchObject([{ state: 'failing' }, { state: 'healed' }]);
    const next = trail.begin(entry('high'));
    sink.writes[1]!.succeed();
    await advance(0);
    expect(sink.writes).toHaveLength(3);
    expect(sink.writes[2]!.texts).not.toEqual(sink.writes[0]!.texts);
    sink.writes[2]!.succeed();
    expect((await next).recorded).toBe(true);
    await advance(60_000);
    expect(sink.writes).toHaveLength(3);
  });

  it('stops the start-up', async () => {
    const { trail } = setUpWith(new HungSink());
    const opening = trail.onModuleInit().catch(String);
    await advance(30_000);
    expect(await opening).toBe('Error: The audit sink "hung" cannot be opened: no answer within 30000 ms');
  });

  it('holds a shutdown up for a stated time, and is not called behind it', async () => {
    const { sink, trail } = setUpWith(new HungSink());
    for (let time = 0; time < 3; time++) trail.reject({ ...entry('low'), agent: 'bot' }, { status: 403 });
    let closed = false;
    void trail.close().then(() => (closed = true));
    await advance(9_999);
    expect([closed, sink.closes]).toEqual([false, 0]);
    await advance(1);
    expect([closed, sink.closes]).toEqual([false, 1]);
    await advance(5_000);
    expect([closed, sink.closes]).toEqual([true, 1]);
    expect(logged.slice(-2)).toEqual([
      'The audit sink "hung" was closed with 2 records that it has not taken.',
      'The audit sink "hung" cannot be closed: no answer within 5000 ms',
    ]);
    const writes = sink.writes.length;
    expect((await trail.begin(entry('high'))).recorded).toBe(false);
    sink.writes[0]!.succeed();
    await advance(60_000);
    expect(sink.writes).toHaveLength(writes);
  });

  it('that is slow is given ten seconds at a shutdown', async () => {
    const { sink, trail } = setUpWith(new HungSink(), 10_000);
    for (let time = 0; time < 3_000; time++) {
      const low = await trail.begin(entry('low'));
      if (low.recorded) low.call.finish({ outcome: 'ok' });
    }
    let closed = false;
    void trail.close().then(() => (closed = true));
    for (let time = 0; time < 4; time++) {
      expect(sink.closes).toBe(time < 3 ? 0 : 1);
      await advance(4_000);
      sink.writes.at(-1)!.succeed();
      await advance(0);
    }
    await advance(5_000);
    expect([closed, sink.writes.length]).toEqual([true, 3]);
  });
});

it('releases the room of a call that was rejected', async () => {
  const { sink, trail } = setUp(16);
  for (let time = 0; time < 50; time++) {
    const start = trail.begin(entry('high'));
    await sink.fail('disk full');
    expect((await start).recorded).toBe(false);
    jest.advanceTimersByTime(5_000);
    await new Promise(setImmediate);
    while (sink.batch > 0) await sink.succeed();
  }
  expect(sink.counts()).toEqual({ started: 50 });
});

it('counts the first end of a call only', async () => {
  const { sink, trail } = setUp();
  const start = await trail.begin(entry('medium'));
  for (const outcome of ['ok', 'failed'] as const) if (start.recorded) start.call.finish({ outcome });
  while (sink.batch > 0) await sink.succeed();
  expect(sink.written.map(({ record }) => record.outcome)).toEqual(['ok']);
});

it('is tried again at a shutdown, until a sink that failed writes what is left', async () => {
  const { sink, trail } = setUp();
  const low = await trail.begin(entry('low'));
  if (low.recorded) low.call.finish({ outcome: 'ok' });
  let closed = false;
  void trail.close().then(() => (closed = true));
  await sink.fail('busy');
  expect(closed).toBe(false);
  await jest.advanceTimersByTimeAsync(100);
  await sink.succeed();
  await jest.advanceTimersByTimeAsync(0);
  expect([closed, sink.counts()]).toEqual([true, { finished: 1 }]);
});

it('is written to its end when the app shuts down', async () => {
  const { sink, trail } = setUp(2_000);
  for (let time = 0; time < 1_200; time++) {
    const low = await trail.begin(entry('low'));
    if (low.recorded) low.call.finish({ outcome: 'ok' });
  }
  trail.reject(entry('low'), { status: 403 });
  let closed = false;
  void trail.close().then(() => (closed = true));
  while (sink.batch > 0) {
    expect(closed).toBe(false);
    await sink.succeed();
  }
  expect([closed, sink.counts()]).toEqual([true, { finished: 1_200, rejections: 1 }]);
});
