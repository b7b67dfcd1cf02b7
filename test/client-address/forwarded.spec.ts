import { parseForwarded } from '../../src/client-address/read-client.js';

type Row = [title: string, field: string, expected: ReturnType<typeof parseForwarded>];

const rows: Row[] = [
  ['one element', 'for=192.0.2.1', [{ for: '192.0.2.1' }]],
  [
    'all parameters, in any case',
    'For=192.0.2.1;PROTO=https;Host=a.test;by=10.0.0.1',
    [{ for: '192.0.2.1', proto: 'https', host: 'a.test' }],
  ],
  ['two elements', 'for=192.0.2.1, for=10.0.0.2', [{ for: '192.0.2.1' }, { for: '10.0.0.2' }]],
  ['white space around pairs', ' for=a ; proto=b\t,\tfor=c ', [{ for: 'a', proto: 'b' }, { for: 'c' }]],
  ['a quoted text', 'for="[2001:db8::1]:80"', [{ for: '[2001:db8::1]:80' }]],
  ['an escape in a quoted text', 'for="a\\"b\\\\c"', [{ for: 'a"b\\c' }]],
  ['separators in a quoted text', 'for="a,b;c"', [{ for: 'a,b;c' }]],
  ['an unquoted IPv6 address, as some proxies write it', 'for=[2001:db8::1]', [{ for: '[2001:db8::1]' }]],
  ['an unknown parameter', 'secret=x;for=a', [{ for: 'a' }]],
  ['an unknown parameter named like a member of objects', 'constructor=x;for=a', [{ for: 'a' }]],
  ['nothing', '', []],
  ['white space alone', '  ', []],
  ['a name alone', 'for', []],
  ['no value', 'for=', []],
  ['no name', '=a', []],
  ['an unclosed quote', 'for="a', []],
  ['text after a quote', 'for="a"x', []],
  ['a trailing comma', 'for=a,', []],
  ['a trailing semicolon', 'for=a;', []],
  ['an empty element', 'for=a,,for=b', []],
  ['space around the equals sign', 'for =a', []],
  ['a parameter twice', 'for=a;for=b', []],
  ['a parameter twice in another case', 'for=a;FOR=b', []],
  ['a malformed element after a valid one', 'for=a, for', []],
  ['a malformed element before a valid one', 'x, for=a', []],
];

describe('parseForwarded', () => {
  it.each(rows)('%s', (_title, field, expected) => expect(parseForwarded(field)).toEqual(expected));

  it('keeps no state between headers', () => {
    expect(parseForwarded('for=abcdef, for')).toEqual([]);
    expect(parseForwarded('for=a')).toEqual([{ for: 'a' }]);
  });
});
