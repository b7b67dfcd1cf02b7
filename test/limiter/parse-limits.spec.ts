import { AgentSecurityConfigError } from '../../src/common/config-error.js';
import { checkLimit, parseLimits } from '../../src/limiter/parse-limits.js';
import { loadCases } from '../fixtures/load-cases.js';

type Outcome = readonly { limit: number; windowSeconds: number }[] | 'rejected';

function outcome(text: string): Outcome {
  try {
    return parseLimits('limits', text).map(({ limit, windowMs }) => ({
      limit,
      windowSeconds: windowMs / 1000,
    }));
  } catch (error) {
    if (error instanceof AgentSecurityConfigError) return 'rejected';
    throw error;
  }
}

describe('the table of limit strings', () => {
  /** Where peers differ, what is read here. */
  const choices: Readonly<Record<string, readonly [outcome: Outcome, reason: string]>> = {
    '1/MONTH': ['rejected', 'a month has no length'],
    '1 / year': ['rejected', 'a year is longer than a process remembers'],
    '0/minute': ['rejected', 'a limit of 0 is none'],
    '00010/minute': [[{ limit: 10, windowSeconds: 60 }], 'leading zeros change nothing'],
    '10/m': ['rejected', 'minute or month?'],
    '10/h': [[{ limit: 10, windowSeconds: 3_600 }], 'an hour'],
    '10/hr': ['rejected', 'units are s, min, h, d or their names'],
    '10/d': [[{ limit: 10, windowSeconds: 86_400 }], 'a day'],
    '10/week': ['rejected', 'units are s, min, h, d or their names'],
    '10/minute;10/minute': [
      [
        { limit: 10, windowSeconds: 60 },
        { limit: 10, windowSeconds: 60 },
      ],
      'read twice; resolveRules keeps one',
    ],
  };
  const { cases } = loadCases('limit-strings');

  it.each(cases.map(row => [JSON.stringify(row.in), row] as const))(
    '%s',
    (_title, { in: text, expect: expected, strength }) => {
      const wanted = typeof expected === 'string' ? 'rejected' : expected;
      expect(outcome(text)).toEqual(strength === 'either' ? choices[text]?.[0] : wanted);
    },
  );

  it('has no choice that the table does not need', () => {
    const either = cases.filter(({ strength }) => strength === 'either').map(row => row.in);
    expect(Object.keys(choices).toSorted()).toEqual(either.toSorted());
  });
});

describe('parseLimits', () => {
  const read: [text: string, expected: Outcome][] = [
    ['10/s', [{ limit: 10, windowSeconds: 1 }]],
    ['100/15 minutes', [{ limit: 100, windowSeconds: 900 }]],
    ['100/15min', [{ limit: 100, windowSeconds: 900 }]],
    ['5 per minute', [{ limit: 5, windowSeconds: 60 }]],
    [
      '10/second, 100/minute',
      [
        { limit: 10, windowSeconds: 1 },
        { limit: 100, windowSeconds: 60 },
      ],
    ],
    [
      '10/second;100/minute|1000/hour',
      [
        { limit: 10, windowSeconds: 1 },
        { limit: 100, windowSeconds: 60 },
        { limit: 1000, windowSeconds: 3600 },
      ],
    ],
    ['1/31 days', [{ limit: 1, windowSeconds: 2_678_400 }]],
    ['1000000000/s', [{ limit: 1_000_000_000, windowSeconds: 1 }]],
  ];
  it.each(read)('%s', (text, expected) => expect(outcome(text)).toEqual(expected));

  const rejected: [text: string, code: string, says: string][] = [
    ['10/m', 'ASEC_LIMIT_SYNTAX', 'minute or a month'],
    ['10/fortnight', 'ASEC_LIMIT_SYNTAX', 'unknown unit'],
    ['10/constructor', 'ASEC_LIMIT_SYNTAX', 'unknown unit'],
    ['10/hasOwnProperty', 'ASEC_LIMIT_SYNTAX', 'unknown unit'],
    ['-1/minute', 'ASEC_LIMIT_SYNTAX', '"-1/minute"'],
    ['10 minute', 'ASEC_LIMIT_SYNTAX', '"10 minute"'],
    ['10/minute,', 'ASEC_LIMIT_SYNTAX', '""'],
    ['10/minute 5', 'ASEC_LIMIT_SYNTAX', '"10/minute 5"'],
    ['0/minute', 'ASEC_LIMIT_RANGE', 'a limit of 0 is none'],
    ['1/32 days', 'ASEC_LIMIT_RANGE', '31 days'],
    ['1000000001/s', 'ASEC_LIMIT_RANGE', '1000000000'],
    ['1/0 s', 'ASEC_LIMIT_RANGE', '"1/0 s"'],
    ['9'.repeat(501), 'ASEC_LIMIT_SYNTAX', 'is too long'],
  ];
  it.each(rejected)('rejects %s', (text, code, says) => {
    expect(() => parseLimits('limits', text)).toThrow(
      expect.objectContaining({ code, option: 'limits', message: expect.stringContaining(says) }),
    );
  });
});

describe('checkLimit', () => {
  const rows: [title: string, limit: number, windowMs: number][] = [
    ['NaN', NaN, 1_000],
    ['a fraction', 1.5, 1_000],
    ['a negative limit', -1, 1_000],
    ['an endless limit', Infinity, 1_000],
    ['a window of NaN', 1, NaN],
    ['a window of 0', 1, 0],
    ['an endless window', 1, Infinity],
  ];
  it.each(rows)('rejects %s', (_title, limit, windowMs) => {
    expect(() => checkLimit('o', limit, windowMs, limit)).toThrow(
      expect.objectContaining({ code: 'ASEC_LIMIT_RANGE' }),
    );
  });

  it('takes one in a millisecond', () => expect(() => checkLimit('o', 1, 1, 1)).not.toThrow());
});
