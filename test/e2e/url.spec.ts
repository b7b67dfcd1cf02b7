/* What the head of a request may not be: the same answers on both platforms, before any handler. */
import { All, Controller, Get, Header, Post, QueryMethod } from '@nestjs/common';
import { METHODS } from 'node:http';
import type { AgentSecurityOptions } from '../../src/index.js';
import { loadCases } from '../fixtures/load-cases.js';
import { exchange, requestHttp2 } from '../support/http.js';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { FASTIFY, PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start, startShared } from '../support/start.js';

let ran: string[] = [];
beforeEach(() => {
  ran = [];
});

@Controller()
class Routes {
  @All('*')
  everything(): object {
    ran.push('handler');
    return {};
  }

  @Get()
  root(): object {
    ran.push('root');
    return {};
  }
}

/** The rows of the table that are unambiguous. */
const PLAIN = new Set([
  'P002',
  'P021',
  'P039',
  'P018',
  'P023',
  'P034',
  'P036',
  'P040',
  'P041',
  'P054',
  'P069',
  'P072',
  'P075',
  'P085',
]);

describe.each(PLATFORMS)('URLs on %s', (_title, platform) => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await startShared(platform, {
      controllers: [Routes],
      options: { hosts: ['api.test'], rateLimit: false },
    });
  });

  const get = async (target: string, at = app): Promise<{ status: number; code: unknown }> => {
    const { answers } = await exchange(
      at.port,
      `GET ${target} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n`,
    );
    expect(answers.length).toBe(1);
    expect(answers[0]!.header('x-frame-options')).toBe('DENY');
    const { status } = answers[0]!;
    return { status, code: status === 200 ? undefined : answers[0]!.json().code };
  };

  const rows = loadCases('paths').cases.map(
    ({ id, target }) => [id, id === 'P072' ? '/a'.repeat(3000) : target] as const,
  );

  it.each(rows.map(([id, target]) => [id, JSON.stringify(target.slice(0, 60)), target] as const))(
    '%s %s is rejected before a route that takes every path, or is unambiguous',
    async (id, _shown, target) => {
      const { status, code } = await get(target);
      const plain = PLAIN.has(id);
      // A byte that Node's own parser rejects has another code.
      const rejected = ['url_invalid', 'request_malformed', 'host_invalid'].includes(code as string);
      expect([status, rejected, ran.length]).toEqual(plain ? [200, false, 1] : [400, true, 0]);
    },
  );

  it('answers 414 for a URL that is too long, and no sooner', async () => {
    expect(await get(`/?${'a'.repeat(8190)}`)).toMatchObject({ status: 200 });
    expect(await get(`/?${'a'.repeat(8191)}`)).toEqual({ status: 414, code: 'uri_too_long' });
    expect(ran.length).toBe(1);
  });

  it.each<[string, AgentSecurityOptions, string, number]>([
    ['url: false', { url: false }, '/a;b', 200],
    ['url: false', { url: false }, `/?${'a'.repeat(9000)}`, 200],
    ['insecureAllow', { url: { insecureAllow: ['encoded-slash'] } }, '/a%2fb', 200],
    ['insecureAllow of something else', { url: { insecureAllow: ['encoded-slash'] } }, '/a;b', 400],
    ['maxLength', { url: { maxLength: 10 } }, '/123456789', 200],
    ['maxLength', { url: { maxLength: 10 } }, '/1234567890', 414],
  ])('%s', async (_what, options, target, status) => {
    const other = await start(platform, {
      controllers: [Routes],
      options: { ...options, hosts: ['api.test'] },
    });
    expect((await get(target, other)).status).toBe(status);
  });

  it('counts what it rejects against the flood limit', async () => {
    const other = await start(platform, {
      controllers: [Routes],
      options: { hosts: ['api.test'], rateLimit: { flood: '2/minute' } },
    });
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push((await get('//', other)).status);
    expect(statuses).toEqual([400, 400, 429]);
  });
});

test('URLs over HTTP/2', async () => {
  const app = await start(FASTIFY, {
    controllers: [Routes],
    adapter: () => new FastifyAdapter({ http2: true } as object),
  });
  const answer = await requestHttp2(app.port, { path: '/a/../b' });
  expect([answer.status, ran]).toEqual([400, []]);
  expect((await requestHttp2(app.port, { path: '/a/b' })).status).toBe(200);
  await app.close();
});

describe.each(PLATFORMS)('methods on %s', (_title, platform) => {
  it.each([
    ['GET', 200],
    ['HEAD', 200],
    ['POST', 200],
    ['PUT', 405],
    ['PROPFIND', 405],
    ['OPTIONS', 405],
    ['TRACE', 405],
  ])('of GET and POST: %s: %d', async (method, status) => {
    const app = await start(platform, { controllers: [Routes], options: { methods: ['GET', 'POST'] } });
    const answer = await app.send('/a', { method });
    expect([answer.status, ran.length]).toEqual([status, status === 405 ? 0 : 1]);
    const listed = method === 'TRACE' ? 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' : 'GET, HEAD, POST';
    expect(answer.header('allow')).toBe(status === 405 ? listed : undefined);
  });

  it('still answers preflights', async () => {
    const app = await start(platform, {
      controllers: [Routes],
      options: { methods: ['GET', 'POST'], cors: { origins: ['https://app.test'] } },
    });
    const answer = await app.send('/a', {
      method: 'OPTIONS',
      headers: { Origin: 'https://app.test', 'Access-Control-Request-Method': 'POST' },
    });
    expect(answer.status).toBe(204);
  });

  it('QUERY, which this Node knows', () => expect(METHODS).toContain('QUERY'));

  describe('a handler of QUERY', () => {
    it('is reached, with its body checked', async () => {
      @Controller()
      class QueryRoutes {
        @QueryMethod('search')
        search(): object {
          ran.push('search');
          return {};
        }
      }
      const app = await start(platform, { controllers: [QueryRoutes] });
      const send = (body: string) =>
        app.send('/search', { method: 'QUERY', body, headers: { 'Content-Type': 'application/json' } });
      expect([(await send('{"a":1}')).status, ran]).toEqual([200, ['search']]);
      expect([(await send('{"a":1,"a":2}')).status, ran]).toEqual([400, ['search']]);
    });
  });
});

describe.each(PLATFORMS)('repeated header fields on %s', (_title, platform) => {
  @Controller()
  class Echo {
    @Get()
    get(): object {
      ran.push('get');
      return {};
    }

    @Post()
    @Header('X-Ran', '1')
    post(): object {
      ran.push('post');
      return {};
    }
  }

  it.each([
    ['Authorization twice', 'Authorization: Bearer a\r\nAuthorization: Bearer b', 400],
    ['Authorization twice, in two cases', 'Authorization: Bearer a\r\nauthorization: Bearer a', 400],
    ['X-API-Key twice', 'X-API-Key: a\r\nX-API-Key: b', 400],
    ['Content-Type twice', 'Content-Type: text/plain\r\nContent-Type: application/json', 400],
    ['Idempotency-Key twice', 'Idempotency-Key: a\r\nIdempotency-Key: b', 400],
    ['X-HTTP-Method-Override twice', 'X-HTTP-Method-Override: A\r\nX-HTTP-Method-Override: B', 400],
    ['Accept twice', 'Accept: text/html\r\nAccept: application/json', 201],
    ['Cookie twice', 'Cookie: a=1\r\nCookie: b=2', 201],
    ['X-Forwarded-For twice', 'X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2', 201],
    ['traceparent twice', 'traceparent: a\r\ntraceparent: b', 201],
    ['a field named __proto__', '__proto__: a', 201],
  ])('%s', async (_what, lines, status) => {
    const app = await start(platform, { controllers: [Echo] });
    const { answers } = await exchange(
      app.port,
      `POST / HTTP/1.1\r\nHost: localhost\r\n${lines}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
    const code = answers[0]!.json().code as string | undefined;
    expect([answers.map(answer => answer.status), code, ran.length]).toEqual(
      status === 201 ? [[201], undefined, 1] : [[400], 'header_repeated', 0],
    );
  });
});
