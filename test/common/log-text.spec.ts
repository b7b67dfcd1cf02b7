import fc from 'fast-check';
import { escapeText, logLine, logStack, logText } from '../../src/common/log-text.js';

/** What no line of a log may hold. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

describe('logText', () => {
  const rows: [title: string, value: unknown, text: string][] = [
    ['plain text', 'GET /items', 'GET /items'],
    ['other letters', 'größe 日本 🙂', 'größe 日本 🙂'],
    ['a line break', 'a\r\nERROR forged', 'a\\u000d\\u000aERROR forged'],
    ['an escape sequence', '\u001b[2J', '\\u001b[2J'],
    ['a C1 control sequence', '\u009b2J', '\\u009b2J'],
    ['a line separator', 'a\u2028b', 'a\\u2028b'],
    ['a bidirectional override', '\u202egnp.exe', '\\u202egnp.exe'],
    ['a zero-width space', 'a\u200bb', 'a\\u200bb'],
    ['a tag beyond the first plane', 'a\u{e0041}b', 'a\\udb40\\udc41b'],
    ['a lone surrogate', 'a\ud800b', 'a\\ud800b'],
    ['a number', 5, '5'],
    ['nothing', undefined, 'undefined'],
    ['an error', new TypeError('bad\nnews'), 'TypeError: bad\\u000anews'],
    [
      'the password of a URL',
      new Error('connect redis://app:p@ss@cache.test:6379/0 or redis://:pw@b'),
      'Error: connect redis://app:[redacted]@cache.test:6379/0 or redis://:[redacted]@b',
    ],
    ['a URL without a password', 'https://a.test:8443/x?to=b@c.test', 'https://a.test:8443/x?to=b@c.test'],
    ['an object without a prototype', Object.create(null), '[Object: null prototype] {}'],
  ];
  it.each(rows)('%s', (_title, value, text) => expect(logText(value)).toBe(text));

  it('runs no method of the value', () => {
    const toString = jest.fn();
    logText({ toString });
    expect(toString).not.toHaveBeenCalled();
  });

  it('cuts long values', () => {
    expect(logText('x'.repeat(1_000_000))).toBe(`${'x'.repeat(1_000)}… (999000 characters more)`);
  });

  it('writes nothing that forges a line or reorders it, whatever the value', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => !UNSAFE.test(logText(text))));
  });
});

test('escapeText leaves JSON the same JSON', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      const json = JSON.stringify({ text });
      return JSON.parse(escapeText(json)).text === text && !UNSAFE.test(escapeText(json));
    }),
  );
});

test('logLine sanitizes its values', () => {
  expect(logLine`Rejected ${'a\nb'} from ${5}.`).toBe('Rejected a\\u000ab from 5.');
});

test('logStack writes each frame and the message on one line', () => {
  const error = new Error('a\n    at forged (file.js:1:1)\u001b');
  const [first, ...frames] = logStack(error).split('\n');
  expect(first).toBe('Error: a\\u000a    at forged (file.js:1:1)\\u001b');
  expect(frames.length).toBeGreaterThan(0);
});
