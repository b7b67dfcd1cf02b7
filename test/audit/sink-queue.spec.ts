/* The bound of a sink's queue: in records and in bytes, with a share for each kind. */
import type { AuditLine } from '../../src/audit/audit-record.js';
import { SinkQueue } from '../../src/audit/sink-queue.js';

const line = (bytes: number): AuditLine => ({
  record: { time: '', event: 'rejected' },
  text: 'é'.repeat(bytes / 2),
});
const fill = (queue: SinkQueue, kind: 'low' | 'rejection', bytes: number): number => {
  let taken = 0;
  while (queue.offer(line(bytes), kind)) taken++;
  return taken;
};

it.each([
  ['low impact', 'low', 120],
  ['rejections', 'rejection', 20],
] as const)('bounds records of %s by their number and by their bytes', (_title, kind, expected) => {
  expect(fill(new SinkQueue(160, 1_000_000), kind, 10)).toBe(expected);
  expect(fill(new SinkQueue(1_000_000, 1_600), kind, 10)).toBe(expected);
});

it('keeps room for served calls, however many rejections there are', () => {
  const queue = new SinkQueue(160, 1_000_000);
  expect(fill(queue, 'rejection', 10)).toBe(20);
  expect(fill(queue, 'low', 10)).toBe(100);
  expect([queue.reserve(40), queue.reserve(1)]).toEqual([true, false]);
});

it('accepts no rejections where served calls have filled it', () => {
  const queue = new SinkQueue(160, 1_000_000);
  expect(fill(queue, 'low', 10)).toBe(120);
  expect([queue.takesRejections, queue.offer(line(10), 'rejection')]).toEqual([false, false]);
});

it('promises no room beyond its bytes, and has it again when records are removed', () => {
  const queue = new SinkQueue(160, 1_000);
  expect(queue.reserve(3)).toBe(true);
  for (let time = 0; time < 2; time++) queue.pushReserved(line(500), undefined);
  expect(queue.reserve(1)).toBe(false);
  // What was promised before is kept.
  queue.pushReserved(line(500), undefined);
  queue.remove(2);
  expect([queue.length, queue.reserve(1)]).toEqual([1, true]);
});

it('gives the room of rejections back when they are removed', () => {
  const queue = new SinkQueue(160, 1_000_000);
  for (let round = 0; round < 3; round++) {
    expect(fill(queue, 'rejection', 100)).toBe(20);
    queue.remove(20);
  }
});

it('hands out the oldest records within a number and a size, and at least one', () => {
  const queue = new SinkQueue(160, 1_000_000);
  for (const bytes of [600, 100, 100, 100]) queue.offer(line(bytes), 'low');
  const sizes = (records: number, bytes: number): number[] =>
    queue.first(records, bytes).map(each => each.bytes);
  expect([sizes(10, 50), sizes(10, 800), sizes(2, 5_000), sizes(10, 5_000)]).toEqual([
    [600],
    [600, 100, 100],
    [600, 100],
    [600, 100, 100, 100],
  ]);
});
