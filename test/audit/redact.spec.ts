import { redact, type Redaction } from '../../src/audit/redact.js';
import { redactText } from '../../src/audit/redact-text.js';
import { isSecretName } from '../../src/audit/secrets.js';
import { serializeRecord } from '../../src/audit/audit-record.js';
import fc from 'fast-check';

const NONE: ReadonlySet<string> = new Set();
const settings = (parts: Partial<Redaction> = {}): Redaction => ({
  keys: NONE,
  patterns: [],
  maxChars: 16_384,
  ...parts,
});
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('keys', () => {
  it.each([
    'password',
    'PASSWORD',
    'user_password',
    'newPassword',
    'passwd',
    'pwd',
    'secret',
    'client_secret',
    'clientSecret',
    'token',
    'accessToken',
    'refresh-token',
    'csrf_token',
    'apiKey',
    'x-api-key',
    'API_KEY',
    'Authorization',
    'Proxy-Authorization',
    'cookie',
    'Set-Cookie',
    'privateKey',
    'credentials',
    'pin',
    'otp',
    'cvv',
    'cvv2',
    'privkey',
    'ssn',
    'iban',
    'jwt',
    'passphrase',
    'aws_secret_access_key',
  ])('%s is secret', key => expect(isSecretName(key, NONE)).toBe(true));

  it.each([
    'maxTokens',
    'name',
    'pineapple',
    'description',
    'spinning',
    'keyword',
    'id',
    'author',
    '',
    '__proto__',
  ])('%s is not', key => expect(isSecretName(key, NONE)).toBe(false));

  it('are those of the tool too, at any depth, in any spelling', () => {
    const keys = new Set(['nickname']);
    expect(plain(redact({ a: [{ nick_name: 'Bob', other: 1 }] }, settings({ keys })))).toEqual({
      a: [{ nick_name: '[redacted]', other: 1 }],
    });
  });

  it('take what stands below them', () => {
    expect(plain(redact({ secret: { deep: ['a'] } }, settings()))).toEqual({ secret: '[redacted]' });
  });
});

const JWT =
  'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';

describe('texts', () => {
  type Row = [title: string, text: string, shown: string];
  const rows: Row[] = [
    ['a JSON Web Token', `x ${JWT} y`, 'x [redacted] y'],
    ['one without its signature', JWT.slice(0, JWT.lastIndexOf('.')), '[redacted]'],
    ['a bearer token', 'Authorization: Bearer abcdefgh12345678', 'Authorization: [redacted]'],
    ['basic credentials', 'basic dXNlcjpwYXNzd29yZA==', '[redacted]'],
    ['a key of OpenAI', 'use sk-proj-abcdefghijklmnop1234 now', 'use [redacted] now'],
    ['a key of Stripe', 'sk_live_4eC39HqLyjWDarjtT1zdp7dc', '[redacted]'],
    ['a key of GitHub', 'ghp_16C7e42F292c6912E7710c838347Ae178B4a', '[redacted]'],
    ['a key of AWS', 'id AKIAIOSFODNN7EXAMPLE.', 'id [redacted].'],
    ['a key of Google', `AIza${'a'.repeat(35)}`, '[redacted]'],
    ['a token of Slack', ['xoxb', '123456789012', 'abcdefghijkl'].join('-'), '[redacted]'],
    ['a private key', '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----', '[redacted]'],
    ['a private key without its end', 'a -----BEGIN PRIVATE KEY-----\nMIIE', 'a [redacted]'],
    [
      'a password in a query',
      'https://x.test/?a=1&password=hunter2&b=2',
      'https://x.test/?a=1&password=[redacted]&b=2',
    ],
    ['a password in JSON', '{"password": "hunter2"}', '{"password": "[redacted]"}'],
    ['a password in a URL', 'postgres://app:hunter2@db.test/x', 'postgres://app:[redacted]@db.test/x'],
    ['a card', 'pay 4111111111111111.', 'pay [redacted].'],
    ['a card with blanks', '5500 0055 5555 5559', '[redacted]'],
    ['a card with hyphens', '3782-822463-10005', '[redacted]'],
    ['digits without the check digit', '4111111111111112', '4111111111111112'],
    ['a time in milliseconds', '1795418428006', '1795418428006'],
    ['a time in microseconds', '1795418428000000', '1795418428000000'],
    ['a UUID', '5f0c2a4e-3d1b-4a52-9a39-6d0c8e3d2a11', '5f0c2a4e-3d1b-4a52-9a39-6d0c8e3d2a11'],
    ['plain words', 'The token bucket holds 10.', 'The token bucket holds 10.'],
    ['an empty text', '', ''],
  ];
  it.each(rows)('%s', (_title, text, shown) => expect(redactText(text)).toBe(shown));

  it('are matched by patterns of the user, each time', () => {
    const patterns = [/\bEMP-\d{6}\b/g];
    for (let time = 0; time < 2; time++) {
      expect(redact(['EMP-123456 and EMP-654321'], settings({ patterns }))).toEqual([
        '[redacted] and [redacted]',
      ]);
    }
  });

  it('may be names of keys', () => {
    expect(plain(redact({ [JWT]: 1 }, settings()))).toEqual({ '[redacted]': 1 });
  });

  it('that are alike when they are cut stay two', () => {
    const shown = redact({ [`${'k'.repeat(200)}1`]: 1, [`${'k'.repeat(200)}2`]: 2 }, settings());
    expect(Object.values(shown as object)).toEqual([1, 2]);
  });

  it('are cut behind a secret, never within', () => {
    const secret = `sk-${'a'.repeat(40)}`;
    for (let before = 1_000; before < 1_030; before++) {
      const [shown] = redact([`${'x '.repeat(before / 2)}${secret}`], settings()) as [string];
      expect(shown).not.toContain('sk-');
    }
  });
});

describe('bounds', () => {
  it.each([
    ['a long text', 'x'.repeat(100_000)],
    ['many texts', Array.from({ length: 10_000 }, () => 'x'.repeat(500))],
    ['many numbers', Array.from({ length: 1_000_000 }, (_, index) => index)],
    ['many keys', Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`k${index}`, index]))],
    [
      'wide and deep',
      Array.from({ length: 100 }, () =>
        Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => ({ a: 1 }))),
      ),
    ],
    [
      'long keys',
      Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`${index}${'k'.repeat(10_000)}`, 1])),
    ],
  ])('%s', (_title, value) => {
    const text = JSON.stringify(redact(value, settings()));
    expect(text.length).toBeLessThan(40_000);
    expect(text).toContain('[cut]');
  });

  it('ends in a depth', () => {
    let value: unknown = 1;
    for (let depth = 0; depth < 50_000; depth++) value = [value];
    expect(JSON.stringify(redact(value, settings()))).toBe('[[[[[[[["[cut]"]]]]]]]]');
  });

  it('ends in a circle', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect(JSON.stringify(redact(circle, settings()))).toContain('[cut]');
  });

  /** Counts what the patterns are handed: they run first, on the text as it was read. */
  class Counting extends RegExp {
    chars = 0;
    override [Symbol.replace](text: string): string {
      this.chars += text.length;
      return text;
    }
  }

  // What is replaced is short to show: the bound must hold for what is read.
  it.each([
    ['words', 'word '],
    ['tokens', 'token=eyJ-'],
    ['secrets', `sk-${'a'.repeat(40)} `],
    ['one secret', 'a'],
    ['cards', '4111111111111111 '],
  ])('reads no more than maxChars of %s, however much there is', (_title, part) => {
    const item = part.repeat(2_000);
    const counts = [1, 10, 100].map(width => {
      const counting = new Counting('x');
      const rows = Array.from({ length: width }, () => Array.from({ length: width }, () => item));
      redact({ [item]: rows }, settings({ patterns: [counting], maxChars: 4_096 }));
      return counting.chars;
    });
    expect(counts[0]).toBeGreaterThan(0);
    for (const chars of counts) expect(chars).toBeLessThan(4_096 + 1_024);
  });
});

describe('values', () => {
  it.each([
    ['undefined', undefined, undefined],
    ['null', null, null],
    ['a number', 1.5, 1.5],
    ['NaN', NaN, 'NaN'],
    ['a card as a number', 4111111111111111, '[redacted]'],
    ['a bigint', 12n, '12'],
    ['a function', () => 1, '[function]'],
    ['bytes', Buffer.from('abc'), '[3 bytes]'],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['an invalid date', new Date(NaN), 'Invalid Date'],
  ])('%s', (_title, value, shown) => expect(redact(value, settings())).toEqual(shown));

  it('has no prototype that a client could reach', () => {
    const shown = redact(JSON.parse('{"__proto__":{"isAdmin":true},"a":1}'), settings());
    expect(JSON.stringify(shown)).toBe('{"__proto__":{"isAdmin":true},"a":1}');
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  it('never throws', () => {
    const hostile = {
      get boom(): never {
        throw new Error('boom');
      },
    };
    expect(redact(hostile, settings())).toBe('[unreadable]');
  });
});

/** Pieces that a forger or an accident would put together. */
const piece = fc.constantFrom(
  '\n',
  '\r',
  '\u2028',
  '\u2029',
  '\u0085',
  '\u001b[31m',
  '\u0000',
  '"',
  '\\',
  '{"event":"forged"}',
  ',"hash":"',
  '\ud800',
  '\udc00',
  '\u202e',
  '\ufeff',
  'a',
  ' ',
  '}',
);

test('a record is one line that reads back as it was, whatever its texts hold', () => {
  const text = fc.array(piece, { maxLength: 12 }).map(parts => parts.join(''));
  fc.assert(
    fc.property(text, text, (one, other) => {
      const record = { event: one, params: { [`k${other}`]: other } };
      const line = serializeRecord(record);
      expect(line).toMatch(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e\ufeff]*$/);
      expect(JSON.parse(line)).toEqual(record);
    }),
    { numRuns: 2_000 },
  );
});
