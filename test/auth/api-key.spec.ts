import fc from 'fast-check';
import { createApiKey, looksLikeApiKey, readApiKey } from '../../src/auth/api-key.js';

const { id, secret, text } = createApiKey('ask');

describe('an API key', () => {
  it('consists of prefix, ID, 256 bits of secret and a checksum', () => {
    expect(text).toMatch(/^ask_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/);
    expect(text.startsWith(`ask_${id}_${secret}`)).toBe(true);
    expect(readApiKey(text, 'ask')).toEqual({ id, secret });
    expect(62n ** 43n).toBeGreaterThan(2n ** 256n);
  });

  it('is different each time', () => {
    const many = Array.from({ length: 1_000 }, () => createApiKey('ask'));
    expect(new Set(many.map(key => key.id)).size).toBe(1_000);
    expect(new Set(many.map(key => key.secret)).size).toBe(1_000);
  });

  it('uses every digit at every position of the secret', () => {
    const many = Array.from({ length: 4_000 }, () => createApiKey('ask').secret);
    // The first digit of 43 has a range of its own: 62^43 is just above 2^256.
    for (let at = 1; at < 43; at++) expect(new Set(many.map(each => each[at])).size).toBe(62);
  });

  it.each([
    ['another prefix', text.replace('ask', 'sk0')],
    ['a longer one', `${text}0`],
    ['a shorter one', text.slice(0, -1)],
    ['no underscore', text.replace(/_(?=[^_]*$)/, 'A')],
    ['a foreign character', `${text.slice(0, 30)}-${text.slice(31)}`],
    ['a leading space', ` ${text}`],
    ['an empty text', ''],
  ])('is not read from %s', (_title, other) => expect(readApiKey(other, 'ask')).toBeUndefined());

  it('is rejected if any character is changed', () => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'0Aaz9_-'), (at, digit) => {
        fc.pre(text[at] !== digit);
        expect(readApiKey(text.slice(0, at) + digit + text.slice(at + 1), 'ask')).toBeUndefined();
      }),
    );
  });

  it('is rejected if two adjacent characters are swapped', () => {
    for (let at = 4; at < text.length - 1; at++) {
      const swapped = text.slice(0, at) + text[at + 1] + text[at] + text.slice(at + 2);
      expect(swapped === text || readApiKey(swapped, 'ask') === undefined).toBe(true);
    }
  });

  it('is recognized by its prefix, also if it is malformed', () => {
    expect(looksLikeApiKey('ask_', 'ask')).toBe(true);
    expect(looksLikeApiKey('asks_x', 'ask')).toBe(false);
    expect(looksLikeApiKey('eyJhbGciOiJFUzI1NiJ9.e30.x', 'ask')).toBe(false);
  });
});
