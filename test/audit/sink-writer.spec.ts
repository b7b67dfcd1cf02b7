/* The queue in front of a sink: its bound, what is dropped and what is refused there, and how it comes back. */
import { AuditTrail } from '../../src/audit/audit-trail.js';
import { resolveAudit } from '../../src/audit/audit.options.js';
import type { AuditLine, AuditSink } from '../../src/audit/audit-sink.js';
import { SecurityEvents } from '../../src/common/security-events.js';
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

  get batch(): number {
    return this.#waiting?.lines.length ?? 0;
  }

  async succeed(): Promise<void> {
    const { lines, resolve } = this.#waiting!;
    this.#waiting = undefined;
    this.written.push(...lines);
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
const setUp = (maxQueued = 16) => {
  const sink = new HeldSink();
  const events = new SecurityEvents();
  const told: SecurityEvent[] = [];
  events.all.subscribe(event => told.push(event));
  const options = resolveAudit({ sinks: [sink], maxQueued }, () => undefined);
  const log = { log: (text: string) => logged.push(text), error: (text: string) => logged.push(text) };
  const trail = new AuditTrail(options, [sink], events, new ManualClock(), log);
  return { sink, trail, told };
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

it('writes those who wait together', async () => {
  const { sink, trail } = setUp(100);
  const starts = Array.from({ length: 20 }, () => trail.begin(entry('high')));
  expect(sink.batch).toBe(1);
  await sink.succeed();
  expect(sink.batch).toBe(19);
  await sink.succeed();
  expect((await Promise.all(starts)).every(({ recorded }) => recorded)).toBe(true);
});

it('drops and counts records of low impact and of refusals at three quarters, and keeps all others', async () => {
  const { sink, trail } = setUp(16);
  const medium = await trail.begin(entry('medium'));
  for (let time = 0; time < 10; time++) {
    trail.refuse(entry('high'), { status: 403 });
    const low = await trail.begin(entry('low'));
    if (low.recorded) low.call.finish({ outcome: 'ok' });
  }
  if (medium.recorded) medium.call.finish({ outcome: 'ok' });
  while (sink.batch > 0) await sink.succeed();
  const counts = sink.counts();
  expect(counts['dropped']).toBe(9);
  expect(counts['finished']! + counts['refused']! + counts['dropped']!).toBe(21);
  expect(sink.written.filter(({ record }) => record.impact === 'medium')).toHaveLength(1);
});

it('refuses what must not be lost where there is no room for it, until there is', async () => {
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

it('refuses those who wait when the sink fails, tries again by itself, and loses nothing', async () => {
  const { sink, trail, told } = setUp();
  const first = trail.begin(entry('high'));
  await sink.fail('disk full');
  expect((await first).recorded).toBe(false);
  // Known to fail: nobody waits for the next try.
  expect((await trail.begin(entry('high'))).recorded).toBe(false);
  expect(told).toMatchObject([
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
  expect(told).toMatchObject([{ state: 'failing' }, { state: 'healed', dropped: 0 }]);
  expect(sink.counts()).toEqual({ started: 1 });
  expect(logged).toHaveLength(2);
  const again = trail.begin(entry('high'));
  await sink.succeed();
  expect((await again).recorded).toBe(true);
});

it('takes a sink that hangs for one that fails, and takes its late answer', async () => {
  const { sink, trail, told } = setUp();
  const start = trail.begin(entry('high'));
  jest.advanceTimersByTime(4_999);
  expect(told).toEqual([]);
  jest.advanceTimersByTime(1);
  expect((await start).recorded).toBe(false);
  expect(told).toMatchObject([{ state: 'failing', reason: 'no answer within 5000 ms' }]);
  await sink.succeed();
  expect(told).toHaveLength(2);
  expect(sink.counts()).toEqual({ started: 1 });
});

it('gives back the room of a call that was refused', async () => {
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

it('is written to its end when the app shuts down', async () => {
  const { sink, trail } = setUp(2_000);
  for (let time = 0; time < 1_200; time++) trail.refuse(entry('low'), { status: 403 });
  let closed = false;
  void trail.close().then(() => (closed = true));
  while (sink.batch > 0) {
    expect(closed).toBe(false);
    await sink.succeed();
  }
  expect([closed, sink.counts()]).toEqual([true, { refused: 1_200 }]);
});
