import {
  chooseRequestId,
  type ResolvedRequestId,
  resolveRequestId,
} from '../../src/request-id/request-id.options.js';
import { loadCases } from '../fixtures/load-cases.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const resolve = (options?: object): ResolvedRequestId => resolveRequestId(options) as ResolvedRequestId;
const options = resolve();

describe('the table of request IDs', () => {
  /** Rows on which peers differ: word characters and `.:@+=-` are kept, up to 128 of them. */
  const choices: Readonly<Record<string, 'accept' | 'replace'>> = {
    R005: 'replace',
    R007: 'accept',
    R020: 'accept',
    R023: 'replace',
    R041: 'accept',
    R042: 'accept',
    R044: 'accept',
    R045: 'accept',
    R046: 'accept',
  };
  const { cases } = loadCases('request-ids');

  it.each(cases.map(row => [`${row.id} ${row.note ?? row.header.slice(0, 40)}`, row] as const))(
    '%s',
    (_title, { id, header, expect: expected, strength }) => {
      const kept = chooseRequestId(header, options) === header ? 'accept' : 'replace';
      expect(kept).toBe(strength === 'must' ? expected : choices[id]);
    },
  );

  it('has no choice that the table does not need', () => {
    const either = cases.filter(({ strength }) => strength === 'either').map(({ id }) => id);
    expect(Object.keys(choices).toSorted()).toEqual(either.toSorted());
  });
});

describe('chooseRequestId', () => {
  const replaced: [title: string, incoming: string | string[] | undefined][] = [
    ['none', undefined],
    ['an empty one', ''],
    ['two lines', ['a', 'a']],
    ['two lines that Node joined', 'a, a'],
    ['129 characters', 'a'.repeat(129)],
    ['a line break', 'a\nb'],
    ['a line break at the end', 'a\n'],
    ['a tab', 'a\tb'],
    ['the next-line control', 'a\u0085b'],
    ['a script', '<script>'],
    ['5 kB', 'a'.repeat(5_000)],
  ];
  it.each(replaced)('replaces %s by a UUID', (_title, incoming) =>
    expect(chooseRequestId(incoming, options)).toMatch(UUID),
  );

  it.each(['a', 'a'.repeat(128), 'user@host+1=2:3.4_5-6'])('keeps %p', incoming =>
    expect(chooseRequestId(incoming, options)).toBe(incoming),
  );

  it('makes 100 000 different ones', () => {
    const made = new Set(Array.from({ length: 100_000 }, () => chooseRequestId(undefined, options)));
    expect(made.size).toBe(100_000);
  });

  it('keeps none with accept: false', () => {
    expect(chooseRequestId('abc', resolve({ accept: false }))).toMatch(UUID);
  });

  it('accepts every ID of a pattern with stateful flags', () => {
    for (const accept of [/^a+$/g, /^a+$/y]) {
      const own = resolve({ accept });
      expect([1, 2, 3].map(() => chooseRequestId('aaa', own))).toEqual(['aaa', 'aaa', 'aaa']);
    }
  });

  it.each(['a b', 'a\r\nSet-Cookie: x', 'é', 'a'.repeat(129), ''])(
    'never accepts %p, whatever the pattern',
    incoming => expect(chooseRequestId(incoming, resolve({ accept: /[^]*/ }))).toMatch(UUID),
  );

  it.each([['bad\r\nX: y'], [''], [undefined], [5], ['a'.repeat(129)]])(
    'replaces %p of a generator',
    generated => {
      const own = resolve({ generate: () => generated });
      expect(chooseRequestId(undefined, own)).toMatch(UUID);
    },
  );

  it('uses the ID of a generator', () => {
    expect(chooseRequestId(undefined, resolve({ generate: () => '01ARZ3NDEKTSV4' }))).toBe('01ARZ3NDEKTSV4');
  });
});
