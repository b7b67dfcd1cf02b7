import fc from 'fast-check';
import { matchesPattern, NameMap, NameSet } from '../../src/tools/name-map.js';

it.each([
  ['read_*', 'read_users', true],
  ['read_*', 'read_', true],
  ['read_*', 'unread_users', false],
  ['read_*', 'READ_users', false],
  ['*', '', true],
  ['*_users', 'read_users', true],
  ['*_users', 'read_users2', false],
  ['a*b*c', 'abc', true],
  ['a*b*c', 'a--b--c', true],
  ['a*b*c', 'acb', false],
  ['aa*aa', 'aaa', false],
  ['a*a', 'a', false],
  ['read.users', 'readxusers', false],
])('%s fits %s: %s', (pattern, name, fits) => expect(matchesPattern(pattern, name)).toBe(fits));

test('a pattern fits what the regular expression of it fits', () => {
  const text = (alphabet: string[]) =>
    fc.array(fc.constantFrom(...alphabet), { maxLength: 8 }).map(parts => parts.join(''));
  fc.assert(
    fc.property(
      text(['a', 'b', 'ab', '*', '.']),
      text(['a', 'b', 'ab', 'ba', '.', '\n']),
      (pattern, name) => {
        const expression = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '[^]*')}$`);
        expect(matchesPattern(pattern, name)).toBe(expression.test(name));
      },
    ),
    { numRuns: 5_000 },
  );
});

it('uses the exact name, then the first pattern that matches', () => {
  const map = new NameMap([
    ['a*', 1],
    ['ab*', 2],
    ['abc', 3],
  ] as const);
  expect(['abc', 'abd', 'ax', 'b', 'a*', 'constructor'].map(name => map.get(name))).toEqual([
    3,
    1,
    1,
    undefined,
    1,
    undefined,
  ]);
});

it('has no name of Object.prototype', () => {
  expect(new NameSet(['a']).has('constructor')).toBe(false);
  expect(new NameSet(['constructor']).has('constructor')).toBe(true);
});
