import { BlockingWindow } from '../../src/limiter/algorithms/blocking-window.js';
import { createAlgorithm } from '../../src/limiter/algorithms/create-algorithm.js';
import { FixedWindow } from '../../src/limiter/algorithms/fixed-window.js';
import { wholeSeconds } from '../../src/limiter/policy.js';
import { SlidingWindow } from '../../src/limiter/algorithms/sliding-window.js';
import { TokenBucket } from '../../src/limiter/algorithms/token-bucket.js';
import { createPolicy, type PolicyParts } from '../../src/limiter/create-policy.js';

describe('createPolicy', () => {
  type Row = [title: string, parts: PolicyParts, name: string, text: string];
  const rows: Row[] = [
    ['a second', { limit: 10, windowMs: 1_000 }, '10-per-second', '10 requests per 1 second'],
    ['one request', { limit: 1, windowMs: 60_000 }, '1-per-minute', '1 request per 1 minute'],
    [
      'several minutes',
      { limit: 100, windowMs: 900_000 },
      '100-per-15-minutes',
      '100 requests per 15 minutes',
    ],
    ['sixty minutes are an hour', { limit: 5, windowMs: 3_600_000 }, '5-per-hour', '5 requests per 1 hour'],
    ['days', { limit: 5, windowMs: 172_800_000 }, '5-per-2-days', '5 requests per 2 days'],
    ['ninety seconds', { limit: 5, windowMs: 90_000 }, '5-per-90-seconds', '5 requests per 90 seconds'],
    [
      'milliseconds',
      { limit: 5, windowMs: 1_500 },
      '5-per-1500-milliseconds',
      '5 requests per 1500 milliseconds',
    ],
    ['a name of its own', { name: 'burst', limit: 5, windowMs: 1_000 }, 'burst', '5 requests per 1 second'],
  ];
  it.each(rows)('%s', (_title, parts, name, text) => {
    expect(createPolicy(parts)).toMatchObject({ name, text, named: parts.name !== undefined });
  });

  it('chooses the algorithm', () => {
    const parts = { limit: 5, windowMs: 1_000 };
    expect(createAlgorithm(createPolicy(parts))).toBeInstanceOf(SlidingWindow);
    expect(createAlgorithm(createPolicy({ ...parts, algorithm: 'sliding-window' }))).toBeInstanceOf(
      SlidingWindow,
    );
    expect(createAlgorithm(createPolicy({ ...parts, algorithm: 'fixed-window' }))).toBeInstanceOf(
      FixedWindow,
    );
    expect(createAlgorithm(createPolicy({ ...parts, algorithm: 'token-bucket' }))).toBeInstanceOf(
      TokenBucket,
    );
    expect(createAlgorithm(createPolicy({ ...parts, blockMs: 1 }))).toBeInstanceOf(BlockingWindow);
    expect(createAlgorithm(createPolicy({ ...parts, blockMs: 0 }))).toBeInstanceOf(SlidingWindow);
  });
});

describe('whole seconds', () => {
  it.each([
    [0, 1],
    [0.5, 1],
    [1, 1],
    [1_000, 1],
    [1_000.001, 2],
    [1_001, 2],
    [60_000, 60],
  ])('%d ms are %d s', (milliseconds, seconds) => expect(wholeSeconds(milliseconds)).toBe(seconds));

  it('a window of less than a second is one', () => {
    expect(wholeSeconds(createPolicy({ limit: 1, windowMs: 10 }).windowMs)).toBe(1);
  });
});
