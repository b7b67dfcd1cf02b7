import { AgentSecurityConfigError } from '../../src/common/config-error.js';
import { fn } from '../../src/common/option-table.js';
import {
  readBoolean,
  readBooleanVariable,
  readChoice,
  readInteger,
  readIntegerVariable,
  readListVariable,
  readObject,
  readPaths,
  readString,
  readStringList,
} from '../../src/common/read-options.js';
import { show } from '../../src/common/show-value.js';

function rejection(run: () => unknown): AgentSecurityConfigError {
  try {
    run();
  } catch (error) {
    if (error instanceof AgentSecurityConfigError) return error;
    throw error;
  }
  throw new Error('nothing was rejected');
}

const env = (text: string | undefined) => (name: string) => (name === 'NAME' ? text : undefined);

describe('show', () => {
  const rows: [value: unknown, text: string][] = [
    [NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [-0, '-0'],
    [undefined, 'undefined'],
    ['a "b"', '"a "b""'],
    ['a\nb', '"a\\nb"'],
    [{}, '{}'],
    [{ a: 1 }, 'an object'],
    [new Map([['a', 1]]), 'an object of Map'],
    [() => 1, '[Function: ]'],
    [[{ a: 1 }, [2]], '[ an object, a list ]'],
    [[], '[]'],
    [[1, 2], '[ 1, 2 ]'],
    [/x/g, '/x/g'],
    [5n, '5n'],
  ];
  it.each(rows)('%p as %s', (value, text) => expect(show(value)).toBe(text));

  it('cuts long text and long lists', () => {
    expect(show('x'.repeat(10_000)).length).toBeLessThan(200);
    expect(show(Array.from({ length: 10_000 }, () => 'x')).length).toBeLessThan(200);
  });
});

describe('readObject', () => {
  const known = ['origins', 'maxAge'];

  it('reads a missing value as no settings', () => expect(readObject('cors', undefined, known)).toEqual({}));

  it.each([5, 'text', true, [], null, () => 1, new Map(), Promise.resolve({})])('rejects %p', value => {
    expect(rejection(() => readObject('cors', value, known))).toMatchObject({
      code: 'ASEC_OPTION_TYPE',
      option: 'cors',
      received: show(value),
    });
  });

  it.each([undefined, null])('rejects a key that is %p', maxAge => {
    expect(rejection(() => readObject('cors', { maxAge }, known))).toMatchObject({
      code: 'ASEC_OPTIONS_MISSING',
      option: 'cors.maxAge',
    });
  });

  it('reads getters of a class', () => {
    class Settings {
      get maxAge(): number {
        return 5;
      }
    }
    expect(readObject('cors', new Settings(), known).maxAge).toBe(5);
  });

  const near: [key: string, remedy: string][] = [
    ['origin', 'Did you mean "origins"?'],
    ['Origins', 'Did you mean "origins"?'],
    ['max_age', 'Did you mean "maxAge"?'],
    ['maxage', 'Did you mean "maxAge"?'],
    ['orgins', 'Did you mean "origins"?'],
    ['completelyElse', 'Known here: origins, maxAge.'],
  ];
  it.each(near)('answers the unknown key %s', (key, remedy) => {
    const error = rejection(() => readObject('cors', { [key]: 1 }, known));
    expect(error).toMatchObject({ code: 'ASEC_OPTION_UNKNOWN', option: `cors.${key}` });
    expect(error.message).toContain(remedy);
  });

  it('does not take inherited names for known ones', () => {
    expect(rejection(() => readObject('', { constructor: 1 }, known)).option).toBe('constructor');
    expect(rejection(() => readObject('', JSON.parse('{"__proto__": 1}'), known)).option).toBe('__proto__');
  });

  it('says what was received and what to do, under the code', () => {
    expect(rejection(() => readObject('cors', NaN, known)).message).toBe(
      'cors must be an object, received NaN. Pass an object. [ASEC_OPTION_TYPE]',
    );
  });
});

describe('readers of one value', () => {
  const range = { min: 1, max: 10 };
  type Row = [title: string, read: () => unknown, code: string, text: string];
  const rows: Row[] = [
    ['a boolean: text', () => readBoolean('o', 'true', false), 'ASEC_OPTION_TYPE', '"true"'],
    ['a boolean: a number', () => readBoolean('o', 1, false), 'ASEC_OPTION_TYPE', '1'],
    ['a boolean: null', () => readBoolean('o', null, false), 'ASEC_OPTION_TYPE', 'null'],
    ['a number: text', () => readInteger('o', '2', 1, range), 'ASEC_OPTION_TYPE', '"2"'],
    ['a number: NaN', () => readInteger('o', NaN, 1, range), 'ASEC_OPTION_RANGE', 'NaN'],
    ['a number: Infinity', () => readInteger('o', Infinity, 1, range), 'ASEC_OPTION_RANGE', 'Infinity'],
    ['a number: a fraction', () => readInteger('o', 1.5, 1, range), 'ASEC_OPTION_RANGE', '1.5'],
    ['a number: below', () => readInteger('o', 0, 1, range), 'ASEC_OPTION_RANGE', 'from 1 to 10'],
    ['a number: above', () => readInteger('o', 11, 1, range), 'ASEC_OPTION_RANGE', '11'],
    ['a number: a bigint', () => readInteger('o', 2n, 1, range), 'ASEC_OPTION_TYPE', '2n'],
    ['a text: empty', () => readString('o', '', 'x'), 'ASEC_OPTION_TYPE', '""'],
    ['a text: a number', () => readString('o', 1, 'x'), 'ASEC_OPTION_TYPE', '1'],
    ['a list: text', () => readStringList('o', 'a', []), 'ASEC_OPTION_TYPE', '"a"'],
    ['a list: a number in it', () => readStringList('o', ['a', 1], []), 'ASEC_OPTION_TYPE', 'o[1]'],
    ['a function: text', () => fn()('o', 'a'), 'ASEC_OPTION_TYPE', 'a function'],
    ['a choice: another', () => readChoice('o', 'c', ['a', 'b'], 'a'), 'ASEC_OPTION_TYPE', '"a", "b"'],
    ['a path: no slash', () => readPaths('o', ['x']), 'ASEC_PATH_INVALID', 'o[0]'],
    ['a path: a pattern', () => readPaths('o', ['/ok', '/x/*']), 'ASEC_PATH_INVALID', 'o[1]'],
    ['a path: a query', () => readPaths('o', ['/x?y']), 'ASEC_PATH_INVALID', '"/x?y"'],
    ['a path: a space', () => readPaths('o', ['/x y']), 'ASEC_PATH_INVALID', '"/x y"'],
  ];
  it.each(rows)('%s', (_title, read, code, text) => {
    const error = rejection(read);
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
  });

  it('uses the default for undefined', () => {
    expect([
      readBoolean('o', undefined, true),
      readInteger('o', undefined, 7, range),
      readString('o', undefined, 'x'),
      readStringList('o', undefined, ['y']),
      fn()('o', undefined),
      readChoice('o', undefined, ['a', 'b'], 'b'),
    ]).toEqual([true, 7, 'x', ['y'], undefined, 'b']);
  });

  it('keeps a copy, so that a list that is changed later changes nothing', () => {
    const given = ['a'];
    const read = readStringList('o', given, []);
    given.push('b');
    expect(read).toEqual(['a']);
  });
});

describe('variables of the environment', () => {
  const lists: [text: string | undefined, expected: readonly string[] | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    ['  ', undefined],
    ['a', ['a']],
    ['a, b ,c', ['a', 'b', 'c']],
    ['a b', ['a', 'b']],
    ['a, b\tc\n', ['a', 'b', 'c']],
    ['["a","b"]', ['a', 'b']],
    ['[::1]', ['[::1]']],
    ['[::1],[::2]', ['[::1]', '[::2]']],
    ['[::1]:3000, a', ['[::1]:3000', 'a']],
    ['[]', []],
    ['[ "a" ]', ['a']],
  ];
  it.each(lists)('the list %p', (text, expected) =>
    expect(readListVariable(env(text), 'NAME')).toEqual(expected),
  );

  const faults: [text: string, option: string, says: string][] = [
    ['["a"', 'NAME', 'is not one'],
    ['["a",]', 'NAME', 'double quotes'],
    ['["a" "b"]', 'NAME', 'is not one'],
    ["['a']", 'NAME', 'double quotes'],
    ['[https://a.test]', 'NAME', 'without brackets'],
    ['[https://a.test, b]', 'NAME', 'without brackets'],
    ['[1]', 'NAME[0]', 'a string'],
    ['a,,b', 'NAME[1]', 'Remove the extra comma'],
    ['a,', 'NAME[1]', 'Remove the extra comma'],
    ['"a"', 'NAME[0]', 'quotation marks'],
    ["'a,b'", 'NAME[0]', 'quotation marks'],
    ['{"a": 1}', 'NAME[0]', 'quotation marks'],
  ];
  it.each(faults)('rejects the list %p', (text, option, says) => {
    const error = rejection(() => readListVariable(env(text), 'NAME'));
    expect([error.code, error.option]).toEqual(['ASEC_OPTION_TYPE', option]);
    expect(error.message).toContain(says);
  });

  it('names the element that is no text', () => {
    expect(rejection(() => readListVariable(env('["a", 1]'), 'NAME')).option).toBe('NAME[1]');
  });

  const flags: [text: string | undefined, expected: boolean | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    ['true', true],
    [' TRUE ', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ];
  it.each(flags)('the flag %p', (text, expected) =>
    expect(readBooleanVariable(env(text), 'NAME')).toBe(expected),
  );

  it.each(['yes', 'on', 'null', '2', 'constructor', '__proto__'])('rejects the flag %p', text => {
    expect(rejection(() => readBooleanVariable(env(text), 'NAME')).code).toBe('ASEC_OPTION_TYPE');
  });

  it.each(['1.5', 'NaN', 'Infinity', '1e3', '0x10', 'ten'])('rejects the number %p', text => {
    expect(rejection(() => readIntegerVariable(env(text), 'NAME', { min: 0, max: 9 })).code).toBe(
      'ASEC_OPTION_TYPE',
    );
  });

  it.each(['-1', '10', '99999999999999999999'])('rejects the number %p for its size', text => {
    expect(rejection(() => readIntegerVariable(env(text), 'NAME', { min: 0, max: 9 })).code).toBe(
      'ASEC_OPTION_RANGE',
    );
  });

  it('reads a number, and nothing where nothing is set', () => {
    expect(readIntegerVariable(env(' 7 '), 'NAME', { min: 0, max: 9 })).toBe(7);
    expect(readIntegerVariable(env(' '), 'NAME', { min: 0, max: 9 })).toBeUndefined();
  });
});
