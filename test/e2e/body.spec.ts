import { createGunzip, gzipSync } from 'node:zlib';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { All, Body, Controller, Get, Post, Query, Req } from '@nestjs/common';
import { type BodyOptions, MaxBody } from '../../src/index.js';
import { type JsonBombCase, loadCases } from '../fixtures/load-cases.js';
import { exchange } from '../support/http.js';
import { isNestSince } from '../support/nest-version.js';
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

  @Post('small')
  @MaxBody('1kb')
  small(@Body() body: unknown): object {
    bodies.push(body);
    return {};
  }

  /** Reads the body itself: octet streams have no parser. */
  @Post('stream')
  async stream(@Req() request: IncomingMessage & { raw?: IncomingMessage }): Promise<object> {
    let length = 0;
    for await (const part of request.raw ?? request) length += (part as Buffer).length;
    bodies.push(length);
    return { length };
  }

  @All('any')
  any(@Body() body: unknown): object {
    return { body: body === undefined ? 'none' : body };
  }

  @Get('query')
  query(@Query() query: Record<string, unknown>): object {
    return { keys: Object.keys(query) };
  }
}

const CRLF = Buffer.from('\r\n');
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
      // Valid JSON of which each reader makes something else: body.duplicateKeys.
      if (name.startsWith('y_object_duplicated_key')) return { statuses: [400] };
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
    ])('%s is rejected before the handler', async (_what, body) => {
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

    it('responds with 413 before a declared body arrives', async () => {
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

  describe('a body without a declared length', () => {
    const parts = (size: number): string[] => [
      '["',
      ...Array<string>(size / 1000).fill('x'.repeat(1000)),
      '"]',
    ];

    it('is rejected as soon as it is too long, before the handler', async () => {
      const app = await start(platform, { controllers: [Routes], options: { body: { maxBytes: '8kb' } } });
      const answer = await app.send('/echo', { body: parts(20_000), headers: JSON_TYPE });
      expect([answer.status, bodies]).toEqual([413, []]);
      expect(answer.json()).toMatchObject({
        code: 'body_too_large',
        requestId: answer.header('x-request-id'),
      });
      expect(answer.header('x-frame-options')).toBe('DENY');
      expect((await app.send('/echo', { body: parts(4000), headers: JSON_TYPE })).status).toBe(201);
    });

    it('is rejected although it never ends', async () => {
      const app = await start(platform, { controllers: [Routes], options: { body: { maxBytes: 1000 } } });
      const chunk = `400\r\n${'x'.repeat(0x400)}\r\n`;
      const { answers, closed } = await exchange(
        app.port,
        `POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}`,
      );
      expect([answers.map(({ status }) => status), closed, bodies]).toEqual([[413], true, []]);
    });

    it('is bounded for a handler that reads it itself', async () => {
      const app = await start(platform, {
        controllers: [Routes],
        options: { body: { maxBytes: '8kb' } },
        adapter: () => {
          const adapter = platform.createAdapter();
          const instance = adapter.getInstance<{ addContentTypeParser?: (...args: unknown[]) => void }>();
          instance.addContentTypeParser?.(
            'application/octet-stream',
            (_request: unknown, _body: unknown, done: (error: null) => void) => done(null),
          );
          return adapter;
        },
      });
      const headers = { 'Content-Type': 'application/octet-stream' };
      expect((await app.send('/stream', { body: parts(20_000), headers })).status).toBe(413);
      expect(bodies).toEqual([]);
      expect((await app.send('/stream', { body: parts(4000), headers })).status).toBe(201);
      expect(bodies).toEqual([4004]);
    });
  });

  describe('@MaxBody()', () => {
    const text = (length: number): string => `["${'x'.repeat(length - 4)}"]`;
    it.each([
      ['a declared body at the bound', text(1024), 201],
      ['a declared body over it', text(1025), 413],
      ['a chunked body at the bound', [text(1024)], 201],
      ['a chunked body over it', [text(600).slice(0, -2), `${'x'.repeat(600)}"]`], 413],
    ])('%s', async (_what, body, status) => {
      const app = await start(platform, { controllers: [Routes] });
      const answer = await app.send('/small', { body, headers: JSON_TYPE });
      expect([answer.status, bodies.length]).toEqual([status, status === 201 ? 1 : 0]);
      expect((await app.send('/echo', { body, headers: JSON_TYPE })).status).toBe(201);
    });

    it('does not widen the bound of the module', async () => {
      const app = await start(platform, { controllers: [Routes], options: { body: { maxBytes: 100 } } });
      expect((await app.send('/small', { body: [text(200)], headers: JSON_TYPE })).status).toBe(413);
      expect((await app.send('/small', { body: text(200), headers: JSON_TYPE })).status).toBe(413);
      expect(bodies).toEqual([]);
    });

    it('rejects an invalid size', () => {
      expect(() => MaxBody('64 parsecs')(class {})).toThrow(/ASEC_OPTION_TYPE/);
      expect(() => MaxBody(-1)(class {})).toThrow(/ASEC_OPTION_RANGE/);
    });
  });

  describe('equal keys in one object', () => {
    it.each([
      ['at the top', '{"a":1,"a":2}'],
      ['with equal values', '{"a":1,"a":1}'],
      ['deep inside', '{"x":[{"y":{"a":1,"b":2,"a":3}}]}'],
      ['one of them in escapes', '{"a":1,"\\u0061":2}'],
      ['one of them in escapes of two halves', '{"😀":1,"\\ud83d\\ude00":2}'],
      ['behind an object', '{"a":{"b":1},"a":2}'],
      ['among many', `{${Array.from({ length: 100 }, (_, n) => `"k${n}":1`).join(',')},"k3":2}`],
    ])('%s: rejected before the handler', async (_what, body) => {
      const app = await start(platform, { controllers: [Routes] });
      for (const sent of [body, [body.slice(0, 5), body.slice(5)]]) {
        const answer = await app.send('/echo', { body: sent, headers: JSON_TYPE });
        expect([answer.status, bodies]).toEqual([400, []]);
        expect(answer.json()).toMatchObject({ code: 'body_invalid' });
      }
    });

    it.each([
      ['in two objects', '[{"a":1},{"a":2}]'],
      ['inside and outside', '{"a":{"a":{"a":1}}}'],
      ['a key and a value', '{"a":"a","b":"a"}'],
      ['keys that look alike', '{"a":1,"A":2,"a ":3,"\\u0062":4}'],
    ])('%s: served', async (_what, body) => {
      const app = await start(platform, { controllers: [Routes] });
      const answer = await app.send('/echo', { body, headers: JSON_TYPE });
      expect([answer.status, bodies]).toEqual([201, [JSON.parse(body)]]);
    });

    it('are left to the parser with duplicateKeys: allow', async () => {
      const app = await start(platform, {
        controllers: [Routes],
        options: { body: { duplicateKeys: 'allow' } },
      });
      const answer = await app.send('/echo', { body: '{"a":1,"a":2}', headers: JSON_TYPE });
      expect([answer.status, bodies]).toEqual([201, [{ a: 2 }]]);
    });

    it('keeps the connection for the next request', async () => {
      const app = await start(platform, { controllers: [Routes], options: { rateLimit: false } });
      const post = (body: string): string =>
        `POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const { answers } = await exchange(app.port, post('{"a":1,"a":2}') + post('{"b":1}'), 2);
      expect([answers.map(({ status }) => status), bodies]).toEqual([[400, 201], [{ b: 1 }]]);
    });

    it('keeps rawBody', async () => {
      const raw: unknown[] = [];
      @Controller()
      class RawRoute {
        @Post('raw')
        raw(@Req() request: { rawBody?: Buffer }): object {
          raw.push(request.rawBody?.toString());
          return {};
        }
      }
      const app = await start(platform, { controllers: [RawRoute], nest: { rawBody: true } });
      await app.send('/raw', { body: ['{"a" :', ' 1}'], headers: JSON_TYPE });
      expect(raw).toEqual(['{"a" : 1}']);
    });
  });

  // Fastify's parser undoes no compression, so that it would read other bytes than were checked.
  it('finds equal keys in compressed JSON', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const headers = { ...JSON_TYPE, 'Content-Encoding': 'gzip' };
    const answer = await app.send('/echo', { body: gzipSync('{"a":1,"a":2}'), headers });
    expect([answer.status, bodies]).toEqual([platform.name === 'Express' ? 400 : 415, []]);
    const good = await app.send('/echo', { body: gzipSync('{"a":1,"b":2}'), headers });
    expect(good.status).toBe(platform.name === 'Express' ? 201 : 415);
  });

  describe('a body whose Content-Encoding was not decoded', () => {
    it.each([
      ['JSON with equal keys', 'application/json', '{"a":1,"a":2}'],
      ['JSON', 'application/json', '{"a":1}'],
      ['a form', 'application/x-www-form-urlencoded', 'a=1'],
    ])('%s: never reaches the handler', async (_what, type, body) => {
      const app = await start(platform, { controllers: [Routes], options: { rateLimit: false } });
      for (const coding of [
        'gzip',
        'deflate',
        'br',
        'x-gzip',
        'compress',
        'evil',
        'gzip, gzip',
        'identity, br',
      ]) {
        for (const sent of [body, [body]]) {
          const headers = { 'Content-Type': type, 'Content-Encoding': coding };
          const answer = await app.send('/echo', { body: sent, headers });
          // Express undoes the first three, which are none.
          const isTried = platform.name === 'Express' && /^(?:gzip|deflate|br)$/.test(coding);
          expect([coding, answer.status, bodies]).toEqual([coding, isTried ? 400 : 415, []]);
          expect(answer.header('content-type')).toBe('application/problem+json');
        }
      }
    });

    it('is passed to a handler that reads bytes', async () => {
      const app = await start(platform, {
        controllers: [Routes],
        configure: running => {
          const { useBodyParser } = running as unknown as { useBodyParser(...args: unknown[]): void };
          if (platform.name === 'Express')
            useBodyParser.call(running, 'raw', { type: 'application/x-own', inflate: false });
          else useBodyParser.call(running, 'application/x-own', { bodyLimit: 1_000 });
        },
      });
      const headers = { 'Content-Type': 'application/x-own', 'Content-Encoding': 'gzip' };
      const answer = await app.send('/echo', { body: gzipSync('x'), headers });
      // Express's own parser takes no coding that it does not undo.
      expect(answer.status).toBe(platform.name === 'Express' ? 415 : 201);
    });

    it('is served where a plugin has undone it', async () => {
      if (platform.name === 'Express') return;
      const app = await start(platform, {
        controllers: [Routes],
        adapter: () => {
          const adapter = platform.createAdapter();
          adapter
            .getInstance<{ addHook(name: string, hook: unknown): void }>()
            .addHook(
              'preParsing',
              (
                request: IncomingMessage,
                _reply: unknown,
                raw: Readable,
                done: (error: null, body: Readable) => void,
              ) => {
                const receivedEncodedLength = Number(request.headers['content-length']);
                done(null, Object.assign(raw.pipe(createGunzip()), { receivedEncodedLength }));
              },
            );
          return adapter;
        },
      });
      const headers = { ...JSON_TYPE, 'Content-Encoding': 'gzip' };
      const good = await app.send('/echo', { body: gzipSync('{"a":1}'), headers });
      expect([good.status, bodies]).toEqual([201, [{ a: 1 }]]);
      const twice = await app.send('/echo', { body: gzipSync('{"a":1,"a":2}'), headers });
      expect(twice.status).toBe(400);
    });
  });

  describe('JSON that is no UTF-8', () => {
    const bytes = (...parts: (string | number)[]): Buffer =>
      Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));
    it.each([
      ['two keys that would become one', bytes('{"', 0xff, '":1,"', 0xfe, '":2}')],
      ['one key', bytes('{"', 0xff, '":1}')],
      ['a value', bytes('{"a":"', 0xc3, '"}')],
      ['an overlong slash', bytes('{"a":"', 0xc0, 0xaf, '"}')],
      ['a surrogate', bytes('{"a":"', 0xed, 0xa0, 0x80, '"}')],
      ['a character that is cut', bytes('{"a":"', 0xf0, 0x9f, 0x98, '"}')],
    ])('%s: 400 before the handler', async (_what, body) => {
      for (const duplicateKeys of ['reject', 'allow'] as const) {
        const app = await start(platform, { controllers: [Routes], options: { body: { duplicateKeys } } });
        const answer = await app.send('/echo', { body, headers: JSON_TYPE });
        expect([answer.status, bodies]).toEqual([400, []]);
        expect(answer.json()).toMatchObject({ code: 'body_invalid' });
      }
    });

    it('is distinguished from a character that arrives in two chunks', async () => {
      const app = await start(platform, { controllers: [Routes] });
      const text = Buffer.from('{"a":"😀é€"}');
      const chunks = Array.from(text, byte =>
        Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), CRLF]),
      );
      const head = 'POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
      const { answers } = await exchange(
        app.port,
        Buffer.concat([
          Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`),
          ...chunks,
          Buffer.from('0\r\n\r\n'),
        ]),
        1,
      );
      expect([answers.map(({ status }) => status), bodies]).toEqual([[201], [{ a: '😀é€' }]]);
    });
  });

  it.each([
    ['application/json; charset=utf-16', 415],
    ['application/json; charset=utf-8', 201],
    ['application/json;charset="UTF-8"', 201],
    ['application/json; charset=iso-8859-1', 415],
  ])('%s: %d', async (type, status) => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/echo', { body: '{}', headers: { 'Content-Type': type } });
    expect([answer.status, bodies.length]).toEqual([status, status === 201 ? 1 : 0]);
  });

  it.each([
    ['JSON at the bound', 'application/json', '{"a":1,"b":[{"c":1}]}', 201],
    ['JSON over it', 'application/json', '{"a":1,"b":[{"c":1,"d":1}]}', 400],
    ['a form over it', 'application/x-www-form-urlencoded', 'a=1&b=1&c=1&d=1', 400],
  ])('maxKeys: %s', async (_what, type, body, status) => {
    const app = await start(platform, { controllers: [Routes], options: { body: { maxKeys: 3 } } });
    const answer = await app.send('/echo', { body, headers: { 'Content-Type': type } });
    expect([answer.status, bodies.length]).toEqual([status, status === 201 ? 1 : 0]);
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

  describe('JSON without a body', () => {
    const FRAMINGS: readonly [string, string][] = [
      ['without a length', '\r\n'],
      ['of length 0', 'Content-Length: 0\r\n\r\n'],
      ['of one empty chunk', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ];
    // Before Nest 12.2, Fastify rejects QUERY without a length itself.
    const isOwn = platform.name === 'Express' || isNestSince(12, 2);
    const ownProblem = isOwn ? 'body_invalid' : expect.stringMatching(/^(?:body_invalid|bad_request)$/);
    const EXPECTED: readonly [string, number, object][] = [
      ['POST', 400, { code: 'body_invalid' }],
      ['PUT', 400, { code: 'body_invalid' }],
      ['PATCH', 400, { code: 'body_invalid' }],
      ['QUERY', 400, { code: ownProblem }],
      ['DELETE', 200, { body: 'none' }],
      ['GET', 200, { body: 'none' }],
    ];
    const cases = EXPECTED.flatMap(([method, status, members]) =>
      FRAMINGS.map(([framing, rest]) => [method, framing, status, rest, members] as const),
    );
    it.each(cases)('%s %s: %d', async (method, _framing, status, rest, members) => {
      const app = await start(platform, { controllers: [Routes] });
      const head = `${method} /any HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
      const { answers } = await exchange(app.port, head + rest, 1);
      expect(answers[0]!.status).toBe(status);
      expect(answers[0]!.json()).toMatchObject(members);
    });
  });

  it.each([
    ['a key __proto__', '{"__proto__":{"a":1}}'],
    ['a key __proto__ far inside', '{"a":[{"__proto__":1}]}'],
    ['an escaped key __proto__', '{"__\\u0070roto__":1}'],
    ['a constructor with a prototype', '{"constructor":{"prototype":{}}}'],
  ])('answers %s with one code on both platforms', async (_what, body) => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/echo', { body, headers: JSON_TYPE });
    expect([answer.status, answer.json().code]).toEqual([400, 'body_invalid']);
    expect(answer.json().detail).toBe('The body contains a key that is not allowed.');
  });

  it('answers malformed JSON with bad_request', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/echo', { body: '{', headers: JSON_TYPE });
    expect([answer.status, answer.json().code]).toEqual([400, 'bad_request']);
  });

  it.each([
    'application/xml',
    'application/octet-stream',
    'application/vnd.api+json',
    'application/jsonx',
    'garbage',
    'application/',
    'app@/json',
    ' ',
    undefined,
  ])('answers a body of the type %j with 415, where the handler wants it', async type => {
    const app = await start(platform, { controllers: [Routes] });
    for (const method of ['POST', 'DELETE'])
      for (const body of ['{"a":1}', ['{"a"', ':1}']]) {
        const headers = type === undefined ? {} : { 'Content-Type': type };
        const answer = await app.send('/any', { method, body, headers });
        expect([answer.status, answer.json().code]).toEqual([415, 'unsupported_media_type']);
      }
  });
});
