import fc from 'fast-check';
import { JsonScannerModel } from '../fixtures/json-scanner-model.js';
import { type JsonFault, JsonScanner, MAX_CONTAINERS, scanJson } from '../../src/common/scan-json.js';

const scan = (text: string, maxDepth = 64, maxKeys = 10_000): JsonFault | undefined =>
  new JsonScanner(maxDepth, maxKeys).scan(Buffer.from(text));

type Row = [title: string, text: string, expected: JsonFault | undefined];
const rows: Row[] = [
  ['a key twice', '{"a":1,"a":2}', 'duplicate'],
  ['the empty key twice', '{"":1,"":2}', 'duplicate'],
  ['a key twice around an array', '{"a":[1,2,{"a":1}],"a":2}', 'duplicate'],
  ['a key with an escaped quote', '{"a\\"b":1,"a\\u0022b":2}', 'duplicate'],
  ['a key with an escaped backslash', '{"a\\\\":1,"b":2}', undefined],
  ['a slash in both spellings', '{"/":1,"\\/":2}', 'duplicate'],
  ['a tab in both spellings', '{"\\t":1,"\\u0009":2}', 'duplicate'],
  ['letters beyond ASCII in both spellings', '{"é":1,"\\u00e9":2}', 'duplicate'],
  ['letters of three bytes in both spellings', '{"€":1,"\\u20AC":2}', 'duplicate'],
  ['half a pair is no whole one', '{"\\ud83d":1,"\\ud83d\\ude00":2}', undefined],
  ['half a pair twice', '{"\\ud83dx":1,"\\ud83d\\u0078":2}', 'duplicate'],
  ['a backslash at the end of a value', '{"a":"\\\\","b":1}', undefined],
  ['brackets and colons in values', '{"a":"}{:,\\"","b":"{\\"b\\":1"}', undefined],
  ['a long value', `{"a":"${'x'.repeat(500)}","b":"${'\\n'.repeat(100)}\\"}{","a":1}`, 'duplicate'],
  ['long values', `{"a":"${'x'.repeat(500)}\\"","b":"${'y:{,'.repeat(100)}","c":1}`, undefined],
  ['a value like a key', '{"a":"a","b":["a","a"]}', undefined],
  ['siblings', '[{"a":1},{"a":1}]', undefined],
  ['closing brackets alone', ']]}}', undefined],
  ['no JSON', 'hello', undefined],
];

describe('JsonScanner', () => {
  it.each(rows)('%s', (_title, text, expected) => expect(scan(text)).toBe(expected));

  it.each(rows)('%s, cut anywhere', (_title, text, expected) => {
    const bytes = Buffer.from(text);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const scanner = new JsonScanner(64, 10_000);
      expect(scanner.scan(bytes.subarray(0, cut)) ?? scanner.scan(bytes.subarray(cut))).toBe(expected);
    }
  });

  it.each([
    ['[[[]]]', 3, undefined],
    ['[[[[]]]]', 3, 'depth'],
    ['{"a":{"b":{"c":{}}}}', 3, 'depth'],
    ['[[],[],[],[]]', 2, undefined],
  ])('%s of at most %d levels: %s', (text, depth, expected) => expect(scan(text, depth)).toBe(expected));

  it.each([
    ['{"a":1,"b":2}', 2, undefined],
    ['[{"a":1},{"b":2},{"c":3}]', 2, 'keys'],
  ])('%s of at most %d keys: %s', (text, keys, expected) => expect(scan(text, 64, keys)).toBe(expected));

  it.each([15, 40, 127, 128, 129, 130, 5000])('finds a repeated key among %d', count => {
    const keys = Array.from({ length: count }, (_, index) => `"key${index}":0`);
    expect(scan(`{${keys.join()}}`)).toBeUndefined();
    for (const again of [0, count >> 1, count - 1])
      expect(scan(`{${[...keys, keys[again]].join()}}`)).toBe('duplicate');
    // Objects behind a large one start anew.
    expect(scan(`[{${keys.join()}},{${keys.join()}}]`, 64, 20_000)).toBeUndefined();
  });

  /** JSON as text together with whether an object of it has two equal keys. */
  interface Sample {
    readonly text: string;
    readonly repeats: boolean;
  }
  const KEYS = ['a', 'b', '', 'é', '😀', '"', '\\', 'ab', '\u0000', '€'];
  const spelled = fc
    .tuple(fc.constantFrom(...KEYS), fc.constantFrom('plain', 'escaped', 'upper'))
    .map(([key, way]) => {
      const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
      const units = Array.from({ length: key.length }, (_, index) => key[index]!);
      const escaped = units.map(escape).join('');
      const text =
        way === 'plain'
          ? JSON.stringify(key)
          : `"${way === 'upper' ? escaped.toUpperCase().replaceAll('U', 'u') : escaped}"`;
      return { key, text };
    });
  const { sample } = fc.letrec<{ sample: Sample }>(tie => ({
    sample: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc
        .constantFrom(
          '1',
          'null',
          '"a"',
          '"{"',
          '"}\\\\"',
          '"\\","',
          '""',
          '-0.5e9',
          '[]',
          '{}',
          '"é:"',
          `"${'long {,'.repeat(9)}"`,
          `"${'x'.repeat(30)}\\"${'y'.repeat(30)}"`,
        )
        .map(text => ({ text, repeats: false })),
      fc.array(tie('sample'), { maxLength: 4 }).map(items => ({
        text: `[ ${items.map(({ text }) => text).join(' ,')}]`,
        repeats: items.some(({ repeats }) => repeats),
      })),
      fc.array(fc.tuple(spelled, tie('sample')), { maxLength: 5 }).map(members => ({
        text: `{${members.map(([{ text }, value]) => `${text} :${value.text}`).join(', ')} }`,
        repeats:
          new Set(members.map(([{ key }]) => key)).size < members.length ||
          members.some(([, { repeats }]) => repeats),
      })),
    ),
  }));

  it('decides about every text, cut anywhere, as the model does', () => {
    const tokens = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      ',',
      ':',
      '\\',
      '\\u',
      '\\"',
      '"a":',
      '"b"',
      '"ab":1,',
      '00e9',
      'd83d',
      'dE00',
      'é',
      '😀',
      '\u0000',
      '\\ud83d',
      '\\ude00',
      'x'.repeat(30),
      `"${'y'.repeat(30)}"`,
      `${'k'.repeat(9)}\\n`,
      ' ',
      '12.5',
      'null',
      '"":',
    );
    const text = fc.array(tokens, { maxLength: 40 }).map(parts => Buffer.from(parts.join('')));
    const bytes = fc.oneof(
      { weight: 5, arbitrary: text },
      fc.uint8Array({ maxLength: 40 }),
      sample.map(({ text: json }) => Buffer.from(json)),
    );
    const bounds = fc.constantFrom(
      [64, 10_000, false],
      [2, 10_000, false],
      [64, 2, false],
      [64, 2, true],
    ) as fc.Arbitrary<[number, number, boolean]>;
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(12), { maxLength: 8 }), bounds, (whole, cuts, limits) => {
        const scanners = [new JsonScanner(...limits), new JsonScannerModel(...limits)];
        let from = 0;
        for (const cut of [...cuts, whole.length]) {
          const [found, expected] = scanners.map(scanner => scanner.scan(whole.subarray(from, from + cut)));
          expect(found).toBe(expected);
          if (expected !== undefined) return;
          from += cut;
        }
      }),
      { numRuns: 5_000, seed: 20_262 },
    );
  });

  it('finds exactly the repeated keys, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(sample, fc.array(fc.nat(40), { maxLength: 6 }), ({ text, repeats }, cuts) => {
        JSON.parse(text);
        const bytes = Buffer.from(text);
        const scanner = new JsonScanner(64, 10_000);
        let found: JsonFault | undefined;
        let from = 0;
        for (const cut of [...cuts, bytes.length]) {
          found ??= scanner.scan(bytes.subarray(from, from + cut));
          from += cut;
        }
        expect(found).toBe(repeats ? 'duplicate' : undefined);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('scanJson', () => {
  const unfinished = ['{"a":', '[[{"b":{"c', '{"a":"x\\', '{"\\ud83d', '{"a\\u00', '{"é'.slice(0, 3)].map(
    text => Buffer.from(text),
  );
  unfinished.push(Buffer.from('{"é').subarray(0, 3), Buffer.from('{"a":1,"a":1}'));
  const many = Buffer.from(`{${Array.from({ length: 200 }, (_, index) => `"${index}":0`).join()},`);

  it.each(rows)('%s, after texts that were cut off', (_title, text, expected) => {
    for (const before of [...unfinished, many]) {
      scanJson(before, 64, 10_000);
      expect(scanJson(Buffer.from(text), 64, 10_000)).toBe(expected);
    }
  });

  it('bounds each text by itself', () => {
    for (let times = 0; times < 100; times++) expect(scanJson(Buffer.from('[{"a":{'), 4, 2)).toBeUndefined();
    for (let times = 0; times < 100; times++)
      expect(scanJson(Buffer.from('{"a":1,"a":'), 4, 2, true)).toBeUndefined();
  });
});

it.each([
  ['arrays, however deep', '[[[[]]]],', 4],
  ['objects', '{},', 1],
])('bounds the number of %s', (_title, item, count) => {
  const scanner = (times: number): JsonFault | undefined =>
    new JsonScanner(64, 10_000).scan(Buffer.from(`[${item.repeat(times)}0]`));
  const most = Math.floor((MAX_CONTAINERS - 1) / count);
  expect([scanner(most), scanner(most + 1)]).toEqual([undefined, 'containers']);
});
