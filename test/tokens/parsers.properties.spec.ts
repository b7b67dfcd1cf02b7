/* Property tests of the parsers of untrusted input. */
import fc from 'fast-check';
import { readJsonObject, readJws } from '../../src/tokens/read-jws.js';
import { readBasic, readForm, readScopes } from '../../src/tokens/token-request.js';

const textOf = (...tokens: string[]): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...tokens), { maxLength: 24 }).map(parts => parts.join(''));

describe('readForm()', () => {
  const alphabet = textOf(
    'grant_type',
    'client_id',
    '=',
    '&',
    '+',
    '%',
    '%3D',
    '%26',
    '%2B',
    '%ff',
    '%e2%82%ac',
    '%zz',
    'a',
    ';',
    ' ',
    '\0',
    '__proto__',
  );

  it('reads a form as URLSearchParams does, or rejects it', () => {
    fc.assert(
      fc.property(alphabet, text => {
        const form = readForm(text);
        if (form === undefined) return;
        const model = new Map<string, string[]>();
        for (const pair of text === '' ? [] : text.split('&')) {
          // The empty pair, which URLSearchParams leaves out, has an empty name here.
          const [[name, value] = ['', '']] = [...new URLSearchParams(pair)];
          model.set(name, [...(model.get(name) ?? []), value]);
        }
        expect([...form]).toEqual([...model]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads what URLSearchParams has serialized', () => {
    const name = fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, fc.string({ unit: 'grapheme' })), { minLength: 1, maxLength: 8 }),
        pairs => {
          const form = readForm(new URLSearchParams(pairs).toString())!;
          const read = [...form].flatMap(([key, values]) => values.map(value => [key, value]));
          expect(read.toSorted()).toEqual(pairs.toSorted());
        },
      ),
    );
  });

  it('limits the number of parameters', () => {
    const of = (count: number): string =>
      Array.from({ length: count }, (_each, index) => `a${index}=1`).join('&');
    expect(readForm(of(32))!.size).toBe(32);
    expect(readForm(of(33))).toBeUndefined();
  });
});

describe('readBasic()', () => {
  it('reads the credentials that were encoded', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 });
    fc.assert(
      fc.property(
        text.filter(id => id !== ''),
        text,
        (id, secret) => {
          const encode = (part: string): string => new URLSearchParams([['', part]]).toString().slice(1);
          const header = `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`;
          fc.pre(header.length <= 1_024);
          expect(readBasic(header)).toEqual({ id, secret });
        },
      ),
    );
  });

  it('returns undefined for anything else and never throws', () => {
    const alphabet = textOf(
      'Basic',
      'basic',
      ' ',
      'Ym90OnNlY3JldA',
      'Ym90OnNlY3JldA==',
      '=',
      '%',
      ':',
      'Og==',
      '/w==',
      'Bearer',
      '\t',
      '-',
      '_',
    );
    fc.assert(
      fc.property(alphabet, text => {
        const credentials = readBasic(text);
        if (credentials === undefined) return;
        expect(text).toMatch(/^basic [A-Za-z0-9+/]+={0,2}$/i);
        expect(Buffer.from(text.slice(6), 'base64').toString()).toContain(':');
        expect(credentials.id).not.toBe('');
      }),
      { numRuns: 2_000 },
    );
  });

  const rows: [title: string, header: string, expected: unknown][] = [
    ['with a colon in the secret', 'Basic Ym90OmE6Yg==', { id: 'bot', secret: 'a:b' }],
    ['without padding', 'Basic Ym90OmE6Yg', { id: 'bot', secret: 'a:b' }],
    ['with an empty secret', 'Basic Ym90Og==', { id: 'bot', secret: '' }],
    ['with unused bits that are set', 'Basic Ym90OmE6Yh==', undefined],
    ['without a name', 'Basic OmE=', undefined],
    ['without a colon', 'Basic Ym90', undefined],
    ['of bytes that are no text', 'Basic /zph', undefined],
    ['of base64url', 'Basic Ym90OmE_', undefined],
    ['with two spaces', 'Basic  Ym90OmE6Yg==', undefined],
    ['with trailing text', 'Basic Ym90OmE6Yg== x', undefined],
  ];
  it.each(rows)('%s', (_title, header, expected) => expect(readBasic(header)).toEqual(expected));
});

test('readScopes() accepts RFC 6749 scopes and removes duplicates', () => {
  const alphabet = textOf('data:read', 'a', ' ', '  ', '"', '\\', '\t', 'ü', '!', '~', '\x7f');
  const token = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
  fc.assert(
    fc.property(alphabet, text => {
      const scopes = readScopes(text);
      const parts = text.split(' ');
      expect(scopes).toEqual(parts.every(part => token.test(part)) ? [...new Set(parts)] : undefined);
    }),
    { numRuns: 2_000 },
  );
});

describe('readJsonObject()', () => {
  /** A slow model: writes an object with the names as given, repeated ones too. */
  const value = fc.letrec(tie => ({
    node: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom('1', '"a"', '"{\\"a\\":1,"', '"\\\\"', 'null', '[]', '{}'),
      fc.array(tie('node') as fc.Arbitrary<string>, { maxLength: 3 }).map(items => `[${items.join(' , ')}]`),
      fc
        .uniqueArray(
          fc.tuple(fc.constantFrom('a', 'b', 'c"', 'd\\', 'é'), tie('node') as fc.Arbitrary<string>),
          { maxLength: 4, selector: ([name]) => name },
        )
        .map(members => `{${members.map(([name, text]) => `${JSON.stringify(name)} : ${text}`).join(',')}}`),
    ),
  })).node as fc.Arbitrary<string>;

  it('accepts unique names', () => {
    fc.assert(fc.property(value, text => expect(readJsonObject(Buffer.from(`{"x":${text}}`))).toBeDefined()));
  });

  it('rejects a duplicate name at any depth and in any spelling', () => {
    const again = fc.constantFrom('"a"', '"\\u0061"', '"\\u0061" ');
    fc.assert(
      fc.property(value, value, again, fc.integer({ min: 0, max: 3 }), (one, two, name, depth) => {
        const text = '{"x":['.repeat(depth) + `{"a":${one}, ${name}:${two}}` + ']}'.repeat(depth);
        JSON.parse(text);
        expect(readJsonObject(Buffer.from(text))).toBeUndefined();
      }),
    );
  });

  it('never throws for any bytes', () => {
    const alphabet = textOf(
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      '\\',
      '\\"',
      '"a"',
      '"__proto__"',
      '1',
      ' ',
      '\ud800',
      'null',
    );
    fc.assert(
      fc.property(alphabet, text => {
        const read = readJsonObject(Buffer.from(text));
        expect(read).toEqual(read === undefined ? undefined : JSON.parse(text));
      }),
      { numRuns: 2_000 },
    );
  });
});

test('readJws() accepts only one spelling of a token', () => {
  const header = Buffer.from('{"alg":"ES256"}').toString('base64url');
  const alphabet = textOf(header, 'e30', 'c2ln', '.', '=', '-', '_', 'A', ' ', '\n', '?', 'W10', 'eyJh');
  fc.assert(
    fc.property(alphabet, text => {
      const jws = readJws(text);
      if (jws === undefined) return;
      const parts = text.split('.');
      expect(parts).toHaveLength(3);
      for (const part of parts) expect(Buffer.from(part, 'base64url').toString('base64url')).toBe(part);
      expect(jws.alg).toBe('ES256');
    }),
    { numRuns: 3_000 },
  );
});
