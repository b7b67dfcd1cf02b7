import { ConflictException, Controller, Get, Header, type INestApplication, Post, Res } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { configure as serverlessExpress } from '@codegenie/serverless-express';
import serverlessHttp from 'serverless-http';
import { requestHttp2 } from '../support/http.js';
import { EXPRESS, FASTIFY, type Platform } from '../support/platforms.js';
import { type AppParts, start } from '../support/start.js';

@Controller()
class Routes {
  @Get('data')
  data(): object {
    return { ok: true };
  }

  @Get('page')
  @Header('Content-Type', 'text/html; charset=utf-8')
  page(): string {
    return '<p>page</p>';
  }

  @Get('conflict')
  conflict(): never {
    throw new ConflictException('already there');
  }

  @Get('streamed')
  streamed(@Res() response: any): void {
    const raw = response.raw ?? response;
    raw.writeHead(200, { 'Content-Type': 'text/plain' });
    raw.write('one ');
    raw.end('two');
  }

  @Post('echo')
  echo(): object {
    return { echoed: true };
  }
}

interface Call {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly sourceIp?: string;
}

interface Seen {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Send = (call: Call) => Promise<Seen>;

const lengthOf = (body: string | undefined): Record<string, string> =>
  body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };

/** An event of API Gateway (payload 2.0), as function URLs send it too. */
const toEvent = ({ path, method = 'GET', headers = {}, body, sourceIp = '203.0.113.9' }: Call) => ({
  version: '2.0',
  routeKey: '$default',
  rawPath: path,
  rawQueryString: '',
  headers: {
    host: 'localhost',
    ...headers,
    ...lengthOf(body),
  },
  requestContext: { http: { method, path, sourceIp } },
  body: body ?? '',
  isBase64Encoded: false,
});

interface LambdaResult {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
  isBase64Encoded?: boolean;
}

const fromResult = ({ statusCode, headers, body, isBase64Encoded }: LambdaResult): Seen => ({
  status: statusCode,
  headers: lowerCased(Object.entries(headers)),
  body: isBase64Encoded ? Buffer.from(body, 'base64').toString() : body,
});

const lowerCased = (pairs: readonly (readonly [string, unknown])[]): Record<string, string> =>
  Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), String(value)]));

const byServerlessExpress = (app: INestApplication): Send => {
  const handler = serverlessExpress({ app: app.getHttpAdapter().getInstance() });
  return async call =>
    fromResult((await handler(toEvent(call), {} as never, () => undefined)) as LambdaResult);
};

const byServerlessHttp =
  (pick: (app: INestApplication) => unknown) =>
  (app: INestApplication): Send => {
    const handler = serverlessHttp(pick(app) as never);
    return async call => fromResult((await handler(toEvent(call) as never, {} as never)) as LambdaResult);
  };

const byInject = (app: INestApplication): Send => {
  const instance = app.getHttpAdapter().getInstance();
  return async ({ path, method = 'GET', headers = {}, body }) => {
    const answer = await instance.inject({
      method,
      url: path,
      headers: { host: 'localhost', ...headers },
      ...(body === undefined ? {} : { payload: body }),
    });
    return {
      status: answer.statusCode,
      headers: lowerCased(Object.entries(answer.headers)),
      body: answer.body,
    };
  };
};

const byHttp2 = (_app: INestApplication, port: number): Send => {
  return async ({ path, method, headers: { host = 'localhost', ...headers } = {}, body }) => {
    const answer = await requestHttp2(port, {
      path,
      ...(method === undefined ? {} : { method }),
      headers: { ':authority': host, ...headers, ...lengthOf(body) },
      ...(body === undefined ? {} : { body }),
    });
    return { status: answer.status, headers: lowerCased(answer.lines), body: answer.body };
  };
};

const WAYS: readonly [string, Platform, (app: INestApplication, port: number) => Send, AppParts?][] = [
  ['Express by @codegenie/serverless-express', EXPRESS, byServerlessExpress],
  ['Express by serverless-http', EXPRESS, byServerlessHttp(app => app.getHttpAdapter().getInstance())],
  ['the server of Express by serverless-http', EXPRESS, byServerlessHttp(app => app.getHttpServer())],
  ['the server of Fastify by serverless-http', FASTIFY, byServerlessHttp(app => app.getHttpServer())],
  ['Fastify by serverless-http', FASTIFY, byServerlessHttp(app => app.getHttpAdapter().getInstance())],
  ['Fastify by inject(), as @fastify/aws-lambda calls it', FASTIFY, byInject],
  ['Fastify by HTTP/2', FASTIFY, byHttp2, { adapter: () => new FastifyAdapter({ http2: true } as never) }],
];

/** serverless-http takes a chunked answer of Fastify's inject() apart, although inject() has done so. */
const LOSES_CHUNKS = 'Fastify by serverless-http';

const ORIGIN = 'https://app.example.com';
const PARTS: AppParts = {
  controllers: [Routes],
  options: {
    hosts: ['localhost'],
    cors: { origins: [ORIGIN] },
    rateLimit: { limits: '4/minute' },
    headers: { htmlContentSecurityPolicy: true },
    body: { maxBytes: 1_000 },
  },
};

/** Of the transport, not of the response. */
const TRANSPORT = new Set(['date', 'connection', 'keep-alive', 'content-length', 'transfer-encoding']);

/** The headers as the client reads them, without what differs from one request to the next. */
const comparable = ({ headers }: Seen): [string, string][] =>
  Object.entries(headers)
    .filter(([name]) => !TRANSPORT.has(name) && name !== 'strict-transport-security')
    .map(([name, value]): [string, string] => [name, name === 'x-request-id' ? 'an ID' : value])
    .toSorted();

const CALLS: readonly [string, number, Call][] = [
  ['a 200', 200, { path: '/data', headers: { origin: ORIGIN } }],
  ['a page', 200, { path: '/page' }],
  ['a response that the handler writes', 200, { path: '/streamed' }],
  [
    'a 201',
    201,
    { path: '/echo', method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } },
  ],
  ['a 404', 404, { path: '/nowhere', headers: { origin: ORIGIN } }],
  [
    'a body with duplicate keys',
    400,
    { path: '/echo', method: 'POST', body: '{"a":1,"a":2}', headers: { 'content-type': 'application/json' } },
  ],
  [
    'a body that is too long',
    413,
    { path: '/echo', method: 'POST', body: 'x'.repeat(2_000), headers: { 'content-type': 'text/plain' } },
  ],
  ["a handler's problem", 409, { path: '/conflict', headers: { origin: ORIGIN } }],
  ['a foreign host', 421, { path: '/data', headers: { host: 'evil.example' } }],
  [
    'a preflight',
    204,
    { path: '/data', method: 'OPTIONS', headers: { origin: ORIGIN, 'access-control-request-method': 'PUT' } },
  ],
];

describe.each(WAYS)('%s', (title, platform, connect, parts) => {
  async function launch(): Promise<{ send: Send; overSocket: Send }> {
    const [app, reference] = [await start(platform, { ...PARTS, ...parts }), await start(platform, PARTS)];
    return {
      send: connect(app.app, app.port),
      overSocket: async ({ path, headers, ...rest }) => {
        const answer = await reference.send(path, { headers: { host: 'localhost', ...headers }, ...rest });
        return { status: answer.status, headers: lowerCased(answer.lines), body: answer.body };
      },
    };
  }

  it.each(CALLS)('shows the headers of %s as over a socket', async (_what, status, call) => {
    const { send, overSocket } = await launch();
    const seen = await send(call);
    const expected = await overSocket(call);
    expect([seen.status, expected.status]).toEqual([status, status]);
    expect(seen.headers['x-request-id']).toMatch(/./);
    expect(seen.headers['x-content-type-options']).toBe('nosniff');
    expect(comparable(seen)).toEqual(comparable(expected));
    if (title === LOSES_CHUNKS && call.path === '/streamed') return;
    expect(seen.body.replace(seen.headers['x-request-id']!, '')).toBe(
      expected.body.replace(expected.headers['x-request-id']!, ''),
    );
  });

  it('shows Retry-After and the limits of a 429', async () => {
    const { send, overSocket } = await launch();
    const call = { path: '/data', headers: { origin: ORIGIN } };
    for (let count = 0; count < 4; count++) {
      await send(call);
      await overSocket(call);
    }
    // The second denial is answered before routing.
    for (let count = 0; count < 2; count++) {
      const seen = await send(call);
      expect(seen.status).toBe(429);
      expect(seen.headers['retry-after']).toMatch(/^\d+$/);
      expect(comparable(seen)).toEqual(comparable(await overSocket(call)));
    }
  });
});

/** The requests of these libraries say that they are encrypted, so HSTS belongs to their responses. */
describe.each(WAYS.filter(([title]) => title.startsWith('Express by')))('%s', (_title, platform, connect) => {
  it('answers a path outside the global prefix with a problem', async () => {
    const { app, port } = await start(platform, {
      ...PARTS,
      configure: each => void each.setGlobalPrefix('api'),
    });
    const seen = await connect(app, port)({ path: '/evil-marker' });
    expect([seen.status, seen.headers['content-type']]).toEqual([404, 'application/problem+json']);
    expect(seen.body).not.toContain('evil-marker');
  });

  it('sends Strict-Transport-Security, and counts each client by its own address', async () => {
    const { app, port } = await start(platform, {
      ...PARTS,
      options: { ...PARTS.options, rateLimit: { limits: '1/minute' } },
    });
    const send = connect(app, port);
    const first = await send({ path: '/data' });
    expect(first.headers['strict-transport-security']).toMatch(/^max-age=\d+/);
    expect((await send({ path: '/data' })).status).toBe(429);
    expect((await send({ path: '/data', sourceIp: '198.51.100.7' })).status).toBe(200);
  });
});
