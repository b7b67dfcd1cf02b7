import type { Policy } from '../policy.js';
import type { Algorithm } from './algorithm.js';
import { BlockingWindow } from './blocking-window.js';
import { Concurrency } from './concurrency.js';
import { FixedWindow } from './fixed-window.js';
import { SlidingWindow } from './sliding-window.js';
import { TokenBucket } from './token-bucket.js';

/** The algorithm that counts a policy in the memory of this process. */
export function createAlgorithm({ algorithm, limit, windowMs, burst, blockMs }: Policy): Algorithm {
  if (blockMs !== undefined && blockMs > 0) return new BlockingWindow(limit, windowMs, blockMs);
  switch (algorithm) {
    case 'fixed-window':
      return new FixedWindow(limit, windowMs);
    case 'concurrency':
      return new Concurrency(limit, windowMs);
    case 'token-bucket':
      return new TokenBucket(limit, windowMs, burst);
    default:
      return new SlidingWindow(limit, windowMs);
  }
}
