import { Controller, Delete, Get, Header, Headers, type MessageEvent, Post, Res, Sse } from '@nestjs/common';
import { from, map, type Observable } from 'rxjs';
import { AgentSecurityConfigError, type AgentSecurityOptions } from '../../src/index.js';
import { type CorsCase, type CorsExpectation, loadCases, type OriginCase } from '../fixtures/load-cases.js';
import { type Answer, exchange } from '../support/http.js';
import { type Platform, PLATFORMS } from '../support/platforms.js';
import { selfSigned } from '../support/self-signed.js';
import { type AppParts, type RunningApp, start, startShared } from '../support/start.js';
import { FastifyAdapter } from '@nestjs/platform-fastify';

const APP = 'https://app.example.com';
const EVIL = 'https://evil.example';

let ran = 0;
beforeEach(() => {
  ran = 0;
});

@Controller()
class Routes {
  @Get()
  root(): object {
    ran++;
    return {};
  }

  @Post()
  change(): object {
    ran++;
    return {};
  }

  @Get('items')
  items(): object {
    ran++;
    return [];
  }

  @Post('items')
  create(): object {
    ran++;
    return {};
  }

  @Delete('items/:id')
  remove(): object {
    ran++;
    return {};
  }

  @Get('error')
  error(): never {
    throw new Error('fails');
  }

  /** Resumes behind the event that the client saw last. */
  @Sse('sse')
  sse(@Headers('last-event-id') last: string | undefined): Observable<MessageEvent> {
    ran++;
    const begin = Number(last ?? 0);
    return from([begin + 1, begin + 2]).pipe(map(id => ({ id: String(id), data: { id } })));
  }

  /** A stream as `fetch()` reads it: chunks of Node's own response. */
  @Get('chunks')
  chunks(@Res() response: any): void {
    response.hijack?.();
    const raw = response.raw ?? response;
    raw.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
    raw.write('{"n":1}\n');
    raw.end('{"n":2}\n');
  }

  @Get('own-acao')
  @Header('Access-Control-Allow-Origin', '*')
  ownAcao(): object {
    return {};
  }

  @Get('own-vary')
  @Header('Vary', 'Accept-Encoding')
  ownVary(): object {
    return {};
  }

  @Get('set-vary-late')
  setVaryLate(@Res({ passthrough: true }) response: any): object {
    (response.header ?? response.setHeader).call(response, 'Vary', 'Accept');
    return {};
  }

  @Get('protected')
  protected(): object {
    return {};
  }

  @Post('mcp')
  mcp(): object {
    ran++;
    return {};
  }
}

const CONFIGURATIONS: Readonly<Record<CorsCase['cfg'], AgentSecurityOptions['cors']>> = {
  L: {
    origins: [APP, 'http://localhost:9090'],
    credentials: true,
    exposedHeaders: ['X-Custom-Exposed'],
    maxAge: 600,
  },
  A: { origins: '*' },
  N: false,
  W: { origins: ['https://*.example.com'], credentials: true },
};

const list = (value: string | undefined): string[] =>
  (value ?? '')
    .split(',')
    .map(item => item.trim().toLowerCase())
    .filter(item => item !== '');

type Reader = (answer: Answer, wanted: any) => unknown;

/** All values of a list header if they are among them, else what there is instead. */
const holding =
  (name: string): Reader =>
  (answer, wanted: readonly string[] | null) => {
    const there = list(answer.header(name));
    if (wanted === null) return answer.all(name).length === 0 ? null : there;
    return wanted.every(item => there.includes(item.toLowerCase())) ? wanted : there;
  };
const single =
  (name: string): Reader =>
  answer =>
    answer.header(name) ?? null;

/** Reads what a row expects from an answer: the wanted value if the answer has it, else what it has. */
const READERS: { readonly [Fact in keyof Required<CorsExpectation>]: Reader } = {
  acao: single('access-control-allow-origin'),
  acac: single('access-control-allow-credentials'),
  acma: single('access-control-max-age'),
  acam: holding('access-control-allow-methods'),
  acah: holding('access-control-allow-headers'),
  aceh: holding('access-control-expose-headers'),
  vary: (answer, wanted: string) =>
    list(answer.header('vary')).includes(wanted.toLowerCase()) ? wanted : answer.header('vary'),
  status: ({ status }, [from, to]: [number, number]) =>
    status >= from && status <= to ? [from, to] : status,
  handler: () => ran > 0,
  acahNot: (answer, wanted: string[]) => {
    const there = list(answer.header('access-control-allow-headers'));
    return wanted.some(name => there.includes(name.toLowerCase())) ? there : wanted;
  },
  acahMaxLen: (answer, wanted: number) =>
    Math.max(wanted, (answer.header('access-control-allow-headers') ?? '').length),
  emptyBody: ({ body }) => body === '',
  single: (answer, wanted: string[]) => wanted.filter(name => answer.all(name).length <= 1),
};

function expectCors(answer: Answer, { exp }: CorsCase): void {
  const actual = Object.entries(exp).map(([fact, wanted]) => [
    fact,
    READERS[fact as keyof CorsExpectation](answer, wanted),
  ]);
  expect(Object.fromEntries(actual)).toEqual(exp);
  expect(answer.repeated).toEqual([]);
  // Never: everybody, with credentials.
  expect([
    answer.header('access-control-allow-origin'),
    answer.header('access-control-allow-credentials'),
  ]).not.toEqual(['*', 'true']);
}

describe.each(PLATFORMS)('CORS on %s', (_title, platform) => {
  describe.each(Object.keys(CONFIGURATIONS) as CorsCase['cfg'][])('configuration %s', configuration => {
    let app: RunningApp;
    beforeAll(async () => {
      app = await startShared(platform, {
        controllers: [Routes],
        options: { cors: CONFIGURATIONS[configuration]!, rateLimit: false },
      });
    });

    const rows = loadCases('cors').cases.filter(({ cfg }) => cfg === configuration);
    it.each(rows.map(row => [row.id, row.method, row.path, row.note ?? '', row] as const))(
      '%s %s %s %s',
      async (_id, method, path, _note, row) => {
        const answer = await app.send(path, {
          method,
          headers: row.headers,
          ...(row.body === undefined ? {} : { body: row.body }),
        });
        expectCors(answer, row);
      },
    );
  });

  describe('configurations that stop the start-up', () => {
    it.each([
      ['a path', { origins: ['https://example.com/path'] }, 'ASEC_ORIGIN_INVALID'],
      ['no scheme', { origins: ['example.com'] }, 'ASEC_ORIGIN_INVALID'],
      ['a space', { origins: ['https://ex ample.com'] }, 'ASEC_ORIGIN_INVALID'],
      ['an empty text', { origins: [''] }, 'ASEC_ORIGIN_INVALID'],
      ['letters beyond ASCII', { origins: ['https://r\u00e9sum\u00e9.com'] }, 'ASEC_ORIGIN_INVALID'],
      ['a public suffix', { origins: ['https://*.com'], credentials: true }, 'ASEC_ORIGIN_WILDCARD'],
      ['a wildcard on an address', { origins: ['http://*.127.0.0.1'] }, 'ASEC_ORIGIN_WILDCARD'],
      ['a wildcard on an IPv6 address', { origins: ['http://*.[::1]'] }, 'ASEC_ORIGIN_WILDCARD'],
      ['a short address', { origins: ['http://127.1:3999'] }, 'ASEC_ORIGIN_INVALID'],
      [
        'a long IPv6 spelling',
        { origins: ['http://[2001:4860:4860:0000:0000:0000:0000:8888]:90'] },
        'ASEC_ORIGIN_INVALID',
      ],
      ['a name that ends in a number', { origins: ['http://foo.bar.255:6060'] }, 'ASEC_ORIGIN_INVALID'],
      ['the origin of every file', { origins: ['file://'] }, 'ASEC_ORIGIN_INVALID'],
      ['the origin of every file in upper case', { origins: ['FILE://'] }, 'ASEC_ORIGIN_INVALID'],
      [
        'the origin of every file with credentials',
        { insecureFileOrigin: true, credentials: true },
        'ASEC_ORIGIN_INVALID',
      ],
      ['a wildcard over opaque hosts', { origins: ['app://*.-'] }, 'ASEC_ORIGIN_WILDCARD'],
      ['a pattern', { origins: [/example\.com/] }, 'ASEC_OPTION_TYPE'],
      ['a negative age', { maxAge: -2 }, 'ASEC_OPTION_RANGE'],
      ['"*" with credentials', { origins: '*', credentials: true }, 'ASEC_CORS_ANY_WITH_CREDENTIALS'],
      ['exposing "*" with credentials', { exposedHeaders: ['*'], credentials: true }, 'ASEC_CORS_HEADER'],
      ['allowing "*" with credentials', { allowedHeaders: ['*'], credentials: true }, 'ASEC_CORS_HEADER'],
      ['exposing Set-Cookie', { exposedHeaders: ['Set-Cookie'] }, 'ASEC_CORS_HEADER'],
      ['allowing a Sec- header', { allowedHeaders: ['Sec-Foo'] }, 'ASEC_CORS_HEADER'],
    ])('%s', async (_what, cors, code) => {
      const starting = start(platform, { controllers: [Routes], options: { cors: cors as never } });
      const error = await starting.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(AgentSecurityConfigError);
      expect(error).toMatchObject({ code });
    });
  });

  describe('cross-origin decisions (origins.json)', () => {
    const rows = loadCases('origins').cases.filter(({ mcp }) => !mcp);
    // `Origin: null` does not say which site's sandbox sends the request: it is rejected unless it is listed.
    const choices: Readonly<Record<string, 200 | 403>> = { X030: 403 };

    it.each(rows.map(row => [row.id, row.method, row.origin, row] as const))(
      '%s %s %s',
      async (id, method, _origin, row) => {
        const app = await start(platform, secureParts(platform, row));
        const headers: Record<string, string> = { Host: row.host };
        if (row.origin !== null) headers['Origin'] = row.origin;
        if (row.secFetchSite) headers['Sec-Fetch-Site'] = row.secFetchSite;
        const answer = await app.send('/any', { method, headers });
        const expected = choices[id] ?? row.expect;
        expect([answer.status, ran]).toEqual(expected === 200 ? [200, 1] : [403, 0]);
        expect(expected === 200 || answer.json().code === 'origin_not_allowed').toBe(true);
      },
    );
  });

  describe('state-changing requests', () => {
    const options = { cors: { origins: [APP] } };
    it.each([
      ['no browser', {}, 201],
      ['an allowed origin', { Origin: APP }, 201],
      ['an allowed origin, cross-site', { Origin: APP, 'Sec-Fetch-Site': 'cross-site' }, 201],
      ['a rejected origin', { Origin: EVIL }, 403],
      [
        'a rejected origin as text/plain, which needs no preflight',
        { Origin: EVIL, 'Content-Type': 'text/plain' },
        403,
      ],
      ['null', { Origin: 'null' }, 403],
      ['only Sec-Fetch-Site: cross-site', { 'Sec-Fetch-Site': 'cross-site' }, 403],
      ['only Sec-Fetch-Site: same-site', { 'Sec-Fetch-Site': 'same-site' }, 403],
      ['only Sec-Fetch-Site: same-origin', { 'Sec-Fetch-Site': 'same-origin' }, 201],
      ['only Sec-Fetch-Site: none', { 'Sec-Fetch-Site': 'none' }, 201],
      ['its own origin', { Host: 'localhost:3000', Origin: 'http://localhost:3000' }, 201],
      ['its own host on another port', { Host: 'localhost:3000', Origin: 'http://localhost:3001' }, 403],
      ['null of its own page', { Origin: 'null', 'Sec-Fetch-Site': 'same-origin' }, 201],
      [
        'its own page behind a proxy that rewrites Host',
        { Origin: 'http://localhost:5173', 'Sec-Fetch-Site': 'same-origin' },
        201,
      ],
      ['null of another site', { Origin: 'null', 'Sec-Fetch-Site': 'cross-site' }, 403],
    ])('%s', async (_what, headers, status) => {
      const app = await start(platform, { controllers: [Routes], options });
      const answer = await app.send('/items', { method: 'POST', headers });
      expect([answer.status, ran]).toEqual([status, status === 201 ? 1 : 0]);
      expect(answer.header('vary')).toContain('Origin');
    });

    it.each([
      ['app://.', { origins: ['app://.'] }],
      ['app://-', { origins: ['app://-'] }],
      ['safari-web-extension://ABCD-EF', { origins: ['safari-web-extension://ABCD-EF'] }],
      ['safari-web-extension://ABCD-EF', { origins: ['safari-web-extension://abcd-ef'] }],
      ['file://', { insecureFileOrigin: true }],
    ])('allows %s by %j', async (origin, cors) => {
      const app = await start(platform, { controllers: [Routes], options: { cors } });
      const headers = { Origin: origin, 'Sec-Fetch-Site': 'cross-site' };
      const answer = await app.send('/items', { method: 'POST', headers });
      expect([answer.status, answer.header('access-control-allow-origin')]).toEqual([201, origin]);
      const preflight = { ...headers, 'Access-Control-Request-Method': 'POST' };
      expect((await app.send('/items', { method: 'OPTIONS', headers: preflight })).status).toBe(204);
      expect((await app.send('/items', { method: 'POST', headers: { Origin: 'app://other' } })).status).toBe(
        403,
      );
    });

    it('rejects before the body is read', async () => {
      const app = await start(platform, { controllers: [Routes], options });
      const { answers } = await exchange(
        app.port,
        `POST /items HTTP/1.1\r\nHost: localhost\r\nOrigin: ${EVIL}\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n`,
        1,
      );
      expect(answers.map(({ status }) => status)).toEqual([403]);
    });

    it('allows a listed null', async () => {
      const app = await start(platform, { controllers: [Routes], options: { cors: { origins: ['null'] } } });
      const answer = await app.send('/items', { method: 'POST', headers: { Origin: 'null' } });
      expect([answer.status, answer.header('access-control-allow-origin')]).toEqual([201, 'null']);
    });
  });

  it('gives a rejected origin a GET that its script cannot read', async () => {
    const app = await start(platform, { controllers: [Routes], options: { cors: { origins: [APP] } } });
    const answer = await app.send('/items', { headers: { Origin: EVIL } });
    expect([answer.status, ran]).toEqual([200, 1]);
    expect(answer.lines.filter(([name]) => /^access-control/i.test(name))).toEqual([]);
    expect(answer.header('cross-origin-resource-policy')).toBe('same-origin');
    expect(answer.header('vary')).toBe('Origin');
  });

  it('lets scripts read the headers of a limited or failed response', async () => {
    const app = await start(platform, {
      controllers: [Routes],
      options: { cors: { origins: [APP] }, rateLimit: { limits: '1/minute' } },
    });
    await app.send('/', { headers: { Origin: APP } });
    const answer = await app.send('/', { headers: { Origin: APP } });
    expect([answer.status, answer.header('retry-after')]).toEqual([429, '60']);
    expect(answer.header('access-control-allow-origin')).toBe(APP);
    expect(list(answer.header('access-control-expose-headers'))).toEqual([
      'x-request-id',
      'x-ratelimit-limit',
      'x-ratelimit-remaining',
      'x-ratelimit-reset',
      'ratelimit',
      'ratelimit-policy',
      'retry-after',
      'www-authenticate',
      'x-token-expired',
      'mcp-session-id',
    ]);
  });

  it.each([
    ['/own-vary', 'Accept-Encoding, Origin'],
    ['/set-vary-late', 'Accept, Origin'],
    ['/items', 'Origin'],
  ])("adds Origin to a handler's own Vary on %s", async (path, vary) => {
    const app = await start(platform, { controllers: [Routes], options: { cors: { origins: [APP] } } });
    expect((await app.send(path)).header('vary')).toBe(vary);
  });

  it('resumes server-sent events cross-origin with Last-Event-ID', async () => {
    const app = await start(platform, { controllers: [Routes], options: { cors: { origins: [APP] } } });
    const preflight = await app.send('/sse', {
      method: 'OPTIONS',
      headers: {
        Origin: APP,
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'cache-control,last-event-id',
      },
    });
    expect(list(preflight.header('access-control-allow-headers'))).toEqual(
      expect.arrayContaining(['last-event-id', 'cache-control']),
    );
    const answer = await app.send('/sse', {
      headers: { Origin: APP, Accept: 'text/event-stream', 'Last-Event-ID': '7' },
    });
    expect(answer.header('content-type')).toMatch(/^text\/event-stream/);
    expect(answer.header('access-control-allow-origin')).toBe(APP);
    expect(answer.header('cross-origin-resource-policy')).toBe('cross-origin');
    expect(answer.body).toMatch(/id: 8[\s\S]+id: 9/);
  });

  it('streams to fetch cross-origin', async () => {
    const app = await start(platform, { controllers: [Routes], options: { cors: { origins: [APP] } } });
    const answer = await fetch(`http://127.0.0.1:${app.port}/chunks`, { headers: { Origin: APP } });
    expect(answer.headers.get('access-control-allow-origin')).toBe(APP);
    expect(await answer.text()).toBe('{"n":1}\n{"n":2}\n');
  });

  it('reads CORS_ORIGINS, CORS_CREDENTIALS and CORS_MAX_AGE', async () => {
    Object.assign(process.env, {
      CORS_ORIGINS: `${APP},https://b.example`,
      CORS_CREDENTIALS: 'true',
      CORS_MAX_AGE: '60',
    });
    try {
      const app = await start(platform, { controllers: [Routes] });
      const answer = await app.send('/', {
        method: 'OPTIONS',
        headers: { Origin: 'https://b.example', 'Access-Control-Request-Method': 'POST' },
      });
      expect([
        answer.status,
        answer.header('access-control-allow-origin'),
        answer.header('access-control-allow-credentials'),
        answer.header('access-control-max-age'),
      ]).toEqual([204, 'https://b.example', 'true', '60']);
    } finally {
      for (const name of ['CORS_ORIGINS', 'CORS_CREDENTIALS', 'CORS_MAX_AGE']) delete process.env[name];
    }
  });
});

@Controller()
class AnyMethod {
  @Get('any')
  get(): object {
    ran++;
    return {};
  }
}

const certificate = selfSigned();

/** The rows name https://example.com: they are requested over TLS, with routes for every method. */
function secureParts(platform: Platform, row: OriginCase): AppParts {
  const handle = (_request: unknown, response: any): void => {
    ran++;
    response.send({});
  };
  return {
    controllers: [AnyMethod],
    options: { hosts: ['example.com'], cors: { origins: row.trusted } },
    tls: true,
    ...(platform.name === 'Express'
      ? { nest: { httpsOptions: certificate } }
      : { adapter: () => new FastifyAdapter({ https: certificate }) }),
    configure: app => {
      const instance = app.getHttpAdapter().getInstance();
      for (const method of ['post', 'patch', 'options']) instance[method]('/any', handle);
    },
  };
}
