import { checkDeclaredBody, checkParsedBody, hasContentEncoding } from '../../src/body/check-body.js';
import { loadCases } from '../fixtures/load-cases.js';

const MAX_DEPTH = 64;
const nested = (depth: number, open: string, close: string, inner = ''): unknown => {
  const text = open.repeat(depth) + inner + close.repeat(depth);
  // JSON.parse overflows its stack where the text is too deep for it; what it cannot build never reaches the check.
  return JSON.parse(text);
};

describe('the table of JSON bodies, as far as they parse', () => {
  const rows = loadCases('json-bombs').cases.filter(
    ({ name, body }) => name.startsWith('proto') && body !== undefined,
  );

  it.each(rows.map((row, index) => [`${index} ${row.body}: ${row.expect}`, row] as const))(
    '%s',
    (_title, row) => {
      const problem = checkParsedBody(JSON.parse(row.body!), MAX_DEPTH);
      expect(problem?.status).toBe(row.expect === '400' ? 400 : undefined);
    },
  );

  it('has such rows of both kinds', () => expect(rows.length).toBeGreaterThan(3));
});

describe('checkParsedBody', () => {
  type Row = [title: string, body: unknown, rejected: boolean];
  const rows: Row[] = [
    ['nothing', undefined, false],
    ['null', null, false],
    ['a text', '__proto__', false],
    ['bytes', Buffer.from('{"__proto__":1}'), false],
    ['an empty object', {}, false],
    ['plain data', { a: [1, { b: 'c' }], constructor: 'a word' }, false],
    ['a constructor that holds data', { constructor: { name: 'x' } }, false],
    ['a key __proto__', JSON.parse('{"__proto__":{"a":1}}'), true],
    ['a key __proto__ with null', JSON.parse('{"__proto__":null}'), true],
    ['a key __proto__ far inside', JSON.parse('{"a":[{"b":{"__proto__":1}}]}'), true],
    ['a constructor with a prototype', { constructor: { prototype: {} } }, true],
    ['a constructor with a prototype far inside', { a: { constructor: { prototype: 1 } } }, true],
    ['64 arrays', nested(64, '[', ']'), false],
    ['65 arrays', nested(65, '[', ']'), true],
    ['64 objects', nested(64, '{"a":', '}', '1'), false],
    ['65 objects', nested(65, '{"a":', '}', '1'), true],
  ];
  it.each(rows)('%s: rejected %s', (_title, body, rejected) => {
    const problem = checkParsedBody(body, MAX_DEPTH);
    expect(problem === undefined ? undefined : [problem.status, problem.code]).toEqual(
      rejected ? [400, 'body_invalid'] : undefined,
    );
  });

  it('overflows no stack, however deep a body is', () => {
    let body: unknown = 1;
    for (let depth = 0; depth < 200_000; depth++) body = [body];
    expect(checkParsedBody(body, MAX_DEPTH)?.status).toBe(400);
    expect(checkParsedBody(body, 300_000)).toBeUndefined();
  });

  it('goes through a wide body once', () => {
    const body = Array.from({ length: 100_000 }, (_, index) => ({ index }));
    expect(checkParsedBody(body, 2)).toBeUndefined();
    expect(checkParsedBody(body, 1)?.status).toBe(400);
  });
});

describe('checkDeclaredBody', () => {
  type Row = [title: string, method: string, headers: Record<string, string>, status: number | undefined];
  const rows: Row[] = [
    ['no length', 'POST', {}, undefined],
    ['a length within the bound', 'POST', { 'content-length': '100' }, undefined],
    ['a length beyond the bound', 'POST', { 'content-length': '101' }, 413],
    ['a length beyond the bound on a GET', 'GET', { 'content-length': '101' }, 413],
    ['a length of many digits', 'POST', { 'content-length': '9'.repeat(400) }, 413],
    ['JSON of length 0', 'POST', { 'content-length': '0', 'content-type': 'application/json' }, 400],
    [
      'JSON of length 0 with a charset',
      'PUT',
      { 'content-length': '0', 'content-type': 'Application/JSON ; charset=utf-8' },
      400,
    ],
    [
      'a JSON suffix of length 0',
      'POST',
      { 'content-length': '0', 'content-type': 'application/ld+json' },
      400,
    ],
    [
      'JSON of length 0 on a GET',
      'GET',
      { 'content-length': '0', 'content-type': 'application/json' },
      undefined,
    ],
    [
      'JSON of length 0 on a DELETE',
      'DELETE',
      { 'content-length': '0', 'content-type': 'application/json' },
      undefined,
    ],
    ['text of length 0', 'POST', { 'content-length': '0', 'content-type': 'text/plain' }, undefined],
    [
      'a type that only begins like JSON',
      'POST',
      { 'content-length': '0', 'content-type': 'application/jsonp' },
      undefined,
    ],
  ];
  it.each(rows)('%s: %s', (_title, method, headers, status) =>
    expect(checkDeclaredBody(method, headers, 100)?.status).toBe(status),
  );
});

describe('hasContentEncoding', () => {
  it.each<[coding: string | undefined, isEncoded: boolean]>([
    [undefined, false],
    ['', false],
    ['identity', false],
    ['Identity', false],
    ['gzip', true],
    ['identity, gzip', true],
    ['evil', true],
  ])('%s: %s', (coding, isEncoded) =>
    expect(hasContentEncoding({ 'content-encoding': coding })).toBe(isEncoded),
  );
});

describe('a body that no parser of JSON made', () => {
  it('ends on one that holds itself', () => {
    const body: Record<string, unknown> = {};
    body['a'] = { fields: body };
    body['b'] = { fields: body };
    expect(checkParsedBody(body, 64)).toMatchObject({ status: 400 });
  });

  it('does not look into objects of classes', () => {
    class Upload {
      readonly constructor$ = 1;
      readonly self = this;
    }
    expect(
      checkParsedBody({ file: new Upload(), bytes: Buffer.from('x'), made: new Date(0) }, 64),
    ).toBeUndefined();
  });
});
