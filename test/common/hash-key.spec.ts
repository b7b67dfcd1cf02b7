import fc from 'fast-check';
import { hashKey } from '../../src/common/hash-key.js';

const MASK = 0xffff_ffffn;
const rotate = (word: bigint, by: bigint): bigint => ((word << by) | (word >> (32n - by))) & MASK;

/** HalfSipHash-2-4-64 as its reference code reads, over bytes. */
function halfSipHash(bytes: Buffer, k0: bigint, k1: bigint): Buffer {
  let [v0, v1, v2, v3] = [k0, k1 ^ 0xeen, 0x6c796765n ^ k0, 0x74656462n ^ k1];
  const round = (): void => {
    v0 = (v0 + v1) & MASK;
    v1 = rotate(v1, 5n) ^ v0;
    v0 = rotate(v0, 16n);
    v2 = (v2 + v3) & MASK;
    v3 = rotate(v3, 8n) ^ v2;
    v0 = (v0 + v3) & MASK;
    v3 = rotate(v3, 7n) ^ v0;
    v2 = (v2 + v1) & MASK;
    v1 = rotate(v1, 13n) ^ v2;
    v2 = rotate(v2, 16n);
  };
  const padded = Buffer.alloc((Math.floor(bytes.length / 4) + 1) * 4);
  bytes.copy(padded);
  padded[padded.length - 1] = bytes.length & 0xff;
  for (let at = 0; at < padded.length; at += 4) {
    const word = BigInt(padded.readUInt32LE(at));
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  const out = Buffer.alloc(8);
  v2 ^= 0xeen;
  for (let turn = 0; turn < 4; turn++) round();
  out.writeUInt32LE(Number(v1 ^ v3), 0);
  v1 ^= 0xddn;
  for (let turn = 0; turn < 4; turn++) round();
  out.writeUInt32LE(Number(v1 ^ v3), 4);
  return out;
}

function hashed(text: string, k0: number, k1: number): string {
  const { hi, lo } = hashKey(text, k0, k1);
  const out = Buffer.alloc(8);
  out.writeInt32LE(lo, 0);
  out.writeInt32LE(hi, 4);
  return out.toString('hex');
}

describe('hashKey', () => {
  // vectors.h of the reference implementation: key 00 01 … 07, message 00 01 … of the given length.
  const vectors: [bytes: number, digest: string][] = [
    [0, '218d1f59b9b83cc8'],
    [2, '064f39ef7c50eb57'],
  ];
  it.each(vectors)('answers the reference vector of %d bytes', (length, digest) => {
    const bytes = Buffer.from(Array.from({ length }, (_, index) => index));
    expect(hashed(bytes.toString('utf16le'), 0x03020100, 0x07060504)).toBe(digest);
    expect(halfSipHash(bytes, 0x03020100n, 0x07060504n).toString('hex')).toBe(digest);
  });

  it('is HalfSipHash-2-4-64 of the UTF-16 code units', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ maxLength: 300 }),
      fc
        .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
        .map(units => String.fromCharCode(...units)),
    );
    const word = fc.integer({ min: 0, max: 0xffff_ffff });
    fc.assert(
      fc.property(text, word, word, (given, k0, k1) => {
        const expected = halfSipHash(Buffer.from(given, 'utf16le'), BigInt(k0), BigInt(k1)).toString('hex');
        expect(hashed(given, k0, k1)).toBe(expected);
      }),
      { seed: 20_260, numRuns: 1_500 },
    );
  });

  it('keeps one secret for the process', () => expect(hashKey('a')).toEqual(hashKey('a')));

  it('has no collision among 200 000 similar keys', () => {
    const keys = new Set<number>();
    for (let index = 0; index < 200_000; index++) {
      const { hi, lo } = hashKey(`user:${index}`);
      keys.add((hi & 0x1f_ffff) * 2 ** 32 + lo);
    }
    expect(keys.size).toBe(200_000);
  });
});
