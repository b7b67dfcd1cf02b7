import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { Utf8Check } from '../../src/common/utf8-check.js';

/** With a line end behind, which JSON always has room for, a character that stays open is reported too. */
function accepts(bytes: readonly number[], sizes: readonly number[]): boolean {
  const check = new Utf8Check();
  let from = 0;
  for (const size of sizes) {
    if (!check.accepts(Uint8Array.from(bytes.slice(from, from + size)))) return false;
    from += size;
  }
  return check.accepts(Uint8Array.from(bytes.slice(from))) && check.accepts(Uint8Array.of(0x0a));
}

const byte = fc.constantFrom(
  0x41,
  0x7f,
  0x80,
  0xbf,
  0xc0,
  0xc2,
  0xc3,
  0xe0,
  0xa0,
  0xed,
  0x9f,
  0xef,
  0xf0,
  0x90,
  0xf4,
  0x8f,
  0xf5,
  0xff,
);

it('says of any bytes in any pieces what Node says of them as a whole', () => {
  fc.assert(
    fc.property(
      fc.array(byte, { maxLength: 8 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 6 }),
      (bytes, sizes) => accepts(bytes, sizes) === isUtf8(Uint8Array.from(bytes)),
    ),
    { numRuns: 20_000 },
  );
});

it('accepts text in any pieces', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.array(fc.nat(4)), (text, sizes) =>
      accepts([...Buffer.from(text)], sizes),
    ),
    { numRuns: 2_000 },
  );
});
