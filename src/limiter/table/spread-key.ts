import { randomBytes } from 'node:crypto';

const seed = randomBytes(4).readInt32LE(0);

/** Hashes a key to 32 bits with a secret of the process, so that clients cannot choose keys that collide. */
export function spreadKey(hi: number, lo: number): number {
  let hash = Math.imul(hi ^ seed, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ lo, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13) ^ seed, 0x27d4eb2f);
  return (hash ^ (hash >>> 16)) >>> 0;
}
