import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import type { BodyOptions } from '../../src/index.js';
import { type JsonBombCase, loadCases } from '../fixtures/load-cases.js';
import { exchange } from '../support/http.js';
import { type Platform, PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start, startShared } from '../support/start.js';

let bodies: unknown[] = [];
beforeEach(() => {
  bodies = [];
});
afterEach(() => {
  if ('polluted' in {}) throw new Error('A body has reached Object.prototype');
});

@Controller()
class Routes {
  @Post('echo')
  echo(@Body() body: unknown): object {
    bodies.push(body);
    return { kind: typeof body };
  }

  @Get('query')
  query(@Query() query: Record<string, unknown>): object {
    return { keys: Object.keys(query) };
  }
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

const nested = (open: string, close: string, depth: number, inside = ''): string =>
  open.repeat(depth) + inside + close.repeat(depth);

/** Builds the bodies that the table describes instead of holding them. */
function generate({ name, gen }: JsonBombCase): string {
  const depth = /^depth-(array|object)-(\d+)$/.exec(name);
  if (depth) {
    return depth[1] === 'array'
      ? nested('[', ']', Number(depth[2]))
      : nested('{"a":', '}', Number(depth[2]), '1');
  }
  switch (name) {
    case 'keys-9000':
      return `{${Array.from({ length: 9000 }, (_, n) => `"k${n}":1`).join(',')}}`;
    case 'string-99k':
      return JSON.stringify({ a: 'x'.repeat(99_000 - 8) });
    case 'body-100k+':
      return JSON.stringify({ a: 'x'.repeat(102_402 - 8) });
    case 'num-400-digits':
      return `{"a":${'9'.repeat(400)}}`;
    case 'long-key':
      return `{"${'k'.repeat(50_000)}":1}`;
    case 'n_structure_100000_opening_arrays':
      return '['.repeat(100_000);
    case 'n_structure_open_array_object':
      return `${'[{"":'.repeat(50_000)}\n`;
    default:
      throw new Error(`No generator for ${name}: ${gen}`);
  }
}

function bytesOf(row: JsonBombCase): Buffer {
  if (row.base64 !== undefined) return Buffer.from(row.base64, 'base64');
  return Buffer.from(row.body ?? generate(row), 'utf8');
}

/** The statuses that a row allows, and whether the handler may have seen a parsed body. */
function expectation(row: JsonBombCase, platform: Platform): { statuses: number[]; parsed?: boolean } {
  const { name } = row;
  switch (row.expect) {
    case '400':
      return { statuses: [400] };
    case '400/413':
      return { statuses: [400, 413] };
    case '2xx':
    case '2xx, must not crash the logger':
      return { statuses: [201] };
    case 'by configured depth':
      // The default is 64 levels.
      return { statuses: [Number(name.split('-')[2]) <= 64 ? 201 : 400] };
    case 'by configured maxKeys':
    case 'by configured maxString':
    case 'by configured maxKeyLength':
      // Bounded by the size of the body alone.
      return { statuses: [201] };
    case '413 on express default (100 kB); fastify default 1 MiB':
      return { statuses: [platform.name === 'Express' ? 413 : 201] };
    case 'either (Infinity)':
      return { statuses: [201] };
    case 'unparsed or 415':
    case '415 or unparsed':
      return { statuses: [201, 400, 415], parsed: false };
    case '400/415':
      return { statuses: [415], parsed: false };
    case 'either, never 5xx':
      return { statuses: [201, 400] };
    case '2xx (objects and arrays; scalars: either)':
      return /^\s*[[{]/.test(row.body ?? '') ? { statuses: [201] } : { statuses: [201, 400] };
    default:
      throw new Error(`No expectation for ${row.expect}`);
  }
}

describe.each(PLATFORMS)('bodies on %s', (_title, platform) => {
  describe('the table of cases', () => {
    let app: RunningApp;
    beforeAll(async () => {
      app = await startShared(platform, { controllers: [Routes], options: { rateLimit: false } });
    });

    // Express's parser takes a byte order mark off and nothing at all for {}: no hook sees the bytes in between.
    const UNSEEN = 'n_structure_UTF8_BOM_no_data';
    const cases = loadCases('json-bombs').cases.filter(
      ({ name }) => name !== UNSEEN || platform.name === 'Fastify',
    );
    const titled = cases.map((row, index) => [`${index + 1}. ${row.name}`, row.expect, row] as const);

    it.each(titled)('%s: %s', async (_name, _expect, row) => {
      const contentType = (row as { contentType?: string }).contentType;
      const headers: Record<string, string> = { ...JSON_TYPE };
      if (row.name.startsWith('ct ')) {
        if (contentType === undefined) delete headers['Content-Type'];
        else headers['Content-Type'] = contentType;
      }
      const answer = await app.send('/echo', { method: 'POST', headers, body: bytesOf(row) });
      const { statuses, parsed } = expectation(row, platform);
      expect(statuses).toContain(answer.status);
      expect(bodies.length).toBe(answer.status === 201 ? 1 : 0);
      expect(parsed !== false || bodies.every(body => !(body instanceof Object && 'a' in body))).toBe(true);
      expect(answer.status === 201 || answer.header('content-type') === 'application/problem+json').toBe(
        true,
      );
    });
  });

  it('gives a handler on Express an empty object, and nothing else, for a lone byte order mark', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/echo', { body: Buffer.from([0xef, 0xbb, 0xbf]), headers: JSON_TYPE });
    expect([answer.status, bodies]).toEqual(platform.name === 'Express' ? [201, [{}]] : [400, []]);
  });

  describe('keys that reach a prototype', () => {
    it.each([
      ['__proto__ at the top', '{"__proto__":{"polluted":1}}'],
      ['__proto__ in an array', '[{"__proto__":{"polluted":1}}]'],
      ['__proto__ deep inside', '{"a":[{"b":{"__proto__":{"polluted":1}}}]}'],
      ['__proto__ in escapes', '{"\\u005f_proto__":{"polluted":1}}'],
      ['__proto__ with a harmless value', '{"__proto__":null}'],
      ['constructor with a prototype', '{"constructor":{"prototype":{"polluted":1}}}'],
      ['constructor with a prototype inside', '{"a":{"constructor":{"prototype":{"polluted":1}}}}'],
    ])('%s is refused before the handler', async (_what, body) => {
      const app = await start(platform, { controllers: [Routes] });
      const answer = await app.send('/echo', { body, headers: JSON_TYPE });
      expect([answer.status, bodies]).toEqual([400, []]);
      expect(answer.header('content-type')).toBe('application/problem+json');
      expect(answer.body).not.toContain('polluted');
    });

    it.each([
      ['the word as a value', '{"a":"__proto__"}'],
      ['the word as part of a key', '{"my__proto__":1}'],
      ['a constructor that is a text', '{"constructor":"Ferrari"}'],
      ['a prototype of something else', '{"prototype":{"a":1}}'],
      ['hasOwnProperty and its like', '{"hasOwnProperty":1,"toString":2}'],
    ])('%s is served', async (_what, body) => {
      const app = await start(platform, { controllers: [Routes] });
      const answer = await app.send('/echo', { body, headers: JSON_TYPE });
      expect([answer.status, bodies.length]).toEqual([201, 1]);
    });
  });

  it.each([
    ['a media type of JSON with a suffix', 'application/vnd.api+json', '{"__proto__":{"polluted":1}}'],
    ['upper case', 'Application/JSON', '{"__proto__":{"polluted":1}}'],
    ['a charset', 'application/json; charset=utf-8', '{"__proto__":{"polluted":1}}'],
    [
      'a form',
      'application/x-www-form-urlencoded',
      '__proto__[polluted]=1&constructor[prototype][polluted]=1',
    ],
  ])('does not let pollution in under %s', async (_what, type, body) => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/echo', { body, headers: { 'Content-Type': type } });
    expect(answer.status).toBeLessThan(500);
    expect(bodies.filter(seen => JSON.stringify(seen ?? {}).includes('"polluted":'))).toEqual([]);
  });

  it('does not let pollution in through a query', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/query?__proto__[polluted]=1&constructor[prototype][polluted]=1&a=1');
    expect(answer.status).toBeLessThan(500);
  });

  describe('size', () => {
    it.each<[string, BodyOptions, number, number]>([
      ['a body at the bound', { maxBytes: 20 }, 20, 201],
      ['a body over it', { maxBytes: 20 }, 21, 413],
      ['a bound as text', { maxBytes: '1kb' }, 1025, 413],
      ['0 bytes', { maxBytes: 0 }, 2, 413],
    ])('%s', async (_what, body, length, status) => {
      const app = await start(platform, { controllers: [Routes], options: { body } });
      const text = length === 2 ? '[]' : `["${'x'.repeat(length - 4)}"]`;
      const answer = await app.send('/echo', { body: text, headers: JSON_TYPE });
      expect([answer.status, bodies.length]).toEqual([status, status === 201 ? 1 : 0]);
    });

    it('answers 413 before a declared body comes', async () => {
      const app = await start(platform, { controllers: [Routes] });
      const { answers, closed } = await exchange(
        app.port,
        'POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n{',
      );
      expect(answers.map(({ status }) => status)).toEqual([413]);
      expect(answers[0]!.json()).toMatchObject({ code: 'body_too_large' });
      // The connection would else have to swallow a gigabyte.
      expect(closed).toBe(true);
    });

    it('is off with body: false', async () => {
      const app = await start(platform, { controllers: [Routes], options: { body: false } });
      const answer = await app.send('/echo', { body: nested('[', ']', 100), headers: JSON_TYPE });
      expect(answer.status).toBe(201);
    });
  });

  it.each([
    [3, 3, 201],
    [3, 4, 400],
    [200, 200, 201],
  ])('maxDepth %d: %d levels: %d', async (maxDepth, depth, status) => {
    const app = await start(platform, { controllers: [Routes], options: { body: { maxDepth } } });
    const answer = await app.send('/echo', { body: nested('[', ']', depth), headers: JSON_TYPE });
    expect(answer.status).toBe(status);
  });

  it.each([
    ['evil', 415],
    ['identity', 201],
    ['gzip, evil', 415],
  ])('Content-Encoding: %s', async (coding, status) => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/echo', {
      body: '{}',
      headers: { ...JSON_TYPE, 'Content-Encoding': coding },
    });
    expect([answer.status, bodies.length]).toEqual([status, status === 201 ? 1 : 0]);
  });
});
