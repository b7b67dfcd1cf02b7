import fc from 'fast-check';
import { parseStrictJson, type StrictJson } from '../../src/common/strict-json.js';

const parse = (text: string, maxDepth = 64): StrictJson =>
  parseStrictJson(Buffer.from(text), maxDepth, 10_000);

const rows: readonly [title: string, text: string, expected: string][] = [
  ['an object', '{"a":1,"b":[{"a":2},{"a":3}]}', 'valid'],
  ['a text that looks like a key twice', '{"a":"\\"a\\":1,","b":"{\\"a\\""}', 'valid'],
  ['a key twice', '{"a":1,"a":2}', 'duplicate-key'],
  ['a duplicate key, after white space', '{"a" \n: 1, "a"\t:2}', 'duplicate-key'],
  ['a key twice, once escaped', '{"method":1,"m\\u0065thod":2}', 'duplicate-key'],
  ['a key twice, deep inside', '[{"x":{"a":1,"b":{"a":0},"a":2}}]', 'duplicate-key'],
  ['an empty key twice', '{"":1,"":2}', 'duplicate-key'],
  ['no JSON', '{"a":1,}', 'syntax'],
  ['nothing', '', 'syntax'],
  ['a byte order mark', '\uFEFF{}', 'syntax'],
];

it.each(rows)('%s', (_title, text, expected) => {
  const result = parse(text);
  expect(result.valid ? 'valid' : result.reason).toBe(expected);
});

it('rejects bytes that are no UTF-8', () => {
  expect(parseStrictJson(Buffer.from([0x22, 0xff, 0x22]), 64, 10_000)).toEqual({
    valid: false,
    reason: 'syntax',
  });
});

it('bounds the depth', () => {
  expect(parse('[[[]]]', 3).valid).toBe(true);
  expect(parse('[[[[]]]]', 3)).toEqual({ valid: false, reason: 'too-deep' });
  expect(parse('['.repeat(500_000) + ']'.repeat(500_000))).toEqual({ valid: false, reason: 'too-deep' });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

it('bounds the number of keys', () => {
  const keys = (count: number): string => `{${Array.from({ length: count }, (_, n) => `"k${n}":1`).join()}}`;
  expect(parse(keys(10_000)).valid).toBe(true);
  expect(parse(keys(10_001))).toEqual({ valid: false, reason: 'too-many-keys' });
});

it('parses nothing that the scan rejects', () => {
  const parseJson = jest.spyOn(JSON, 'parse');
  try {
    for (const text of ['['.repeat(100), '{"a":1,"a":1}', `[${'{"a":1},'.repeat(10_001)}1]`]) {
      expect(parse(text).valid).toBe(false);
    }
    expect(parseJson).not.toHaveBeenCalled();
  } finally {
    parseJson.mockRestore();
  }
});

/** Counts keys by what JSON.parse is handed: its reviver sees what is left, so a lost key shows as a difference. */
it('accepts the output of JSON.stringify, and finds each duplicate key', () => {
  const tokens = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"b"',
    '"\\u0061"',
    '"\\""',
    '"\\\\"',
    '1',
    'null',
    ' ',
  ];
  fc.assert(
    fc.property(fc.json(), text => parse(text, 1_000).valid),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...tokens), { maxLength: 14 }), parts => {
      const text = parts.join('');
      const result = parse(text);
      if (result.valid) return JSON.stringify(result.value) !== undefined;
      if (result.reason !== 'duplicate-key' || !isJson(text)) return true;
      // A key was lost: written anew, the text is shorter by a key at least.
      const written = (text.match(/:/g) ?? []).length;
      const kept = (JSON.stringify(JSON.parse(text)).match(/:/g) ?? []).length;
      return kept < written;
    }),
    { numRuns: 5_000 },
  );
});
