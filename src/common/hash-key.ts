/* Hashes a text key (an agent, a tenant) to the 64-bit key of a counter. HalfSipHash-2-4 with a secret of the process: an attacker cannot
 * construct a collision, and no raw key is stored. */
import { randomBytes } from 'node:crypto';
import type { Key64 } from './ip-address.js';

const secret = randomBytes(8);
const SECRET_0 = secret.readUInt32LE(0);
const SECRET_1 = secret.readUInt32LE(4);

/**
 * HalfSipHash-2-4 with 64 bits of output, over the text's UTF-16 code units. The rounds are inlined in both loops: as functions over shared
 * variables they take four times as long.
 */
export function hashKey(text: string, k0 = SECRET_0, k1 = SECRET_1): Key64 {
  let v0 = k0 | 0;
  let v1 = k1 ^ 0xee;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  const pairs = text.length & ~1;
  for (let index = 0; index <= pairs; index += 2) {
    const word = index < pairs ? pairAt(text, index) : lastWord(text, pairs);
    v3 ^= word;
    for (let round = 0; round < 2; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
  }
  v2 ^= 0xee;
  let lo = 0;
  for (let round = 0; round < 8; round++) {
    if (round === 4) {
      lo = v1 ^ v3;
      v1 ^= 0xdd;
    }
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  return { hi: v1 ^ v3, lo };
}

const pairAt = (text: string, index: number): number =>
  text.charCodeAt(index) | (text.charCodeAt(index + 1) << 16);

/** The length in bytes, and the last code unit if their number is odd. */
const lastWord = (text: string, pairs: number): number =>
  ((text.length * 2) << 24) | (pairs === text.length ? 0 : text.charCodeAt(pairs));
