/* {Express, Fastify} × {NestFactory, Testing} (and HTTPS, and HTTP/2) × every kind of response × every default header: each is
 * there, and each on one line. */
import {
  BadRequestException,
  Body,
  type CanActivate,
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  Injectable,
  type MessageEvent,
  type OnModuleInit,
  Param,
  ParseIntPipe,
  Post,
  Redirect,
  Req,
  Res,
  Sse,
  StreamableFile,
  UseGuards,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { type Observable, of } from 'rxjs';
import { RateLimit } from '../../src/index.js';
import { type Answer, request, requestHttp2, type RequestOptions } from '../support/http.js';
import { type Platform, type PlatformName, PLATFORMS, PLATFORMS_AND_MODES } from '../support/platforms.js';
import { selfSigned } from '../support/self-signed.js';
import { type AppParts, type RunningApp, startShared } from '../support/start.js';

const ORIGIN = 'https://app.example.com';
const JSON_TYPE = { 'Content-Type': 'application/json' };

@Injectable()
class ClosedGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Controller()
class EveryKind {
  @Get('ok')
  ok(): object {
    return { ok: true };
  }

  @Post('created')
  created(@Body() body: unknown): object {
    return { got: typeof body };
  }

  @Delete('nothing')
  @HttpCode(204)
  nothing(): void {}

  @Get('elsewhere')
  @Redirect('/ok')
  elsewhere(): void {}

  @Sse('events')
  events(): Observable<MessageEvent> {
    return of({ data: 'one' }, { data: 'two' });
  }

  @Get('file')
  file(): StreamableFile {
    return new StreamableFile(Buffer.from('file'));
  }

  @Get('page')
  @Header('Content-Type', 'text/html; charset=utf-8')
  page(): string {
    return '<!doctype html><title>page</title>';
  }

  /** Writes to Node's response itself, as libraries do that bring their own server code. */
  @Get('raw')
  raw(@Req() request: any, @Res() response: any): void {
    response.hijack?.();
    const raw = request.raw === undefined ? response : response.raw;
    raw.writeHead(200, { 'Content-Type': 'text/plain', 'X-Own': 'raw' });
    raw.end('raw');
  }

  @Get('number/:value')
  number(@Param('value', ParseIntPipe) value: number): object {
    return { value };
  }

  @Get('text/:value')
  text(@Param('value') value: string): object {
    return { value };
  }

  @Get('closed')
  @UseGuards(ClosedGuard)
  closed(): object {
    return {};
  }

  @Get('limited')
  @RateLimit('1/hour')
  limited(): object {
    return {};
  }

  @Get('throws')
  throws(): never {
    throw new Error('a secret of the database');
  }

  @Get('rejects')
  async rejects(): Promise<never> {
    await Promise.resolve();
    throw new Error('a secret of the database');
  }

  @Get('bad-request')
  badRequest(): never {
    throw new BadRequestException('no');
  }
}

type Request = Omit<RequestOptions, 'tls'>;
type PerPlatform<T> = T | { readonly Express: T; readonly Fastify: T };

interface Kind {
  readonly referrerPolicy?: string;
  /** A 304 leaves the policies of the stored response alone. */
  readonly isNotModified?: boolean;
  readonly request: Request;
  readonly status: PerPlatform<number>;
  /** Sent first, for a second request that meets a limit, or a validator that the first answer gave. */
  readonly before?: Request;
  readonly only?: 'Express' | 'Fastify';
  /** Whether the answer tells the client's quota. */
  readonly quota?: PerPlatform<boolean>;
  /** A CORS grant, and so `Cross-Origin-Resource-Policy: cross-origin`. */
  readonly granted?: true;
  readonly cacheControl?: string;
  readonly vary?: Readonly<Record<PlatformName, string>>;
  /** Sent to the app whose flood limit is one request. */
  readonly flood?: true;
  /** What HTTP/2 cannot say. */
  readonly http1Only?: true;
}

const KINDS: readonly (readonly [title: string, kind: Kind])[] = [
  ['200', { request: { path: '/ok' }, status: 200, quota: true }],
  ['201', { request: { path: '/created', body: '{}', headers: JSON_TYPE }, status: 201, quota: true }],
  ['204', { request: { path: '/nothing', method: 'DELETE' }, status: 204, quota: true }],
  ['HEAD', { request: { path: '/ok', method: 'HEAD' }, status: 200, quota: true }],
  [
    '304',
    {
      // The tag of {"ok":true}, as Express computes it.
      request: { path: '/ok', headers: { 'If-None-Match': '*' } },
      status: 304,
      quota: true,
      isNotModified: true,
      only: 'Express',
    },
  ],
  [
    'a redirect',
    {
      request: { path: '/elsewhere' },
      status: 302,
      quota: true,
      // Express chooses the body of a redirect by Accept.
      vary: { Express: 'Accept, Origin', Fastify: 'Origin' },
    },
  ],
  [
    'server-sent events',
    {
      request: { path: '/events' },
      status: 200,
      quota: true,
      cacheControl: 'private, no-cache, no-store, must-revalidate, max-age=0, no-transform',
    },
  ],
  ['a StreamableFile', { request: { path: '/file' }, status: 200, quota: true }],
  ['an HTML page', { request: { path: '/page' }, status: 200, quota: true, referrerPolicy: 'same-origin' }],
  ['a handler that calls writeHead itself', { request: { path: '/raw' }, status: 200, quota: true }],
  ['400 by a pipe', { request: { path: '/number/x' }, status: 400, quota: true }],
  ['400 by a handler', { request: { path: '/bad-request' }, status: 400, quota: true }],
  ['403 by a guard of the user', { request: { path: '/closed' }, status: 403, quota: true }],
  [
    '429 by the limit of a route',
    { before: { path: '/limited' }, request: { path: '/limited' }, status: 429, quota: true },
  ],
  ['404 to GET', { request: { path: '/nowhere' }, status: 404, quota: true }],
  ['404 to HEAD', { request: { path: '/nowhere', method: 'HEAD' }, status: 404, quota: true }],
  [
    '404 to POST',
    { request: { path: '/nowhere', body: '{}', headers: JSON_TYPE }, status: 404, quota: true },
  ],
  ['404 to PUT', { request: { path: '/nowhere', method: 'PUT', body: '' }, status: 404, quota: true }],
  ['404 to PATCH', { request: { path: '/nowhere', method: 'PATCH', body: '' }, status: 404, quota: true }],
  ['404 to DELETE', { request: { path: '/ok', method: 'DELETE' }, status: 404, quota: true }],
  ['404 to OPTIONS', { request: { path: '/nowhere', method: 'OPTIONS' }, status: 404, quota: true }],
  ['500 by a throw', { request: { path: '/throws' }, status: 500, quota: true }],
  ['500 by a rejection', { request: { path: '/rejects' }, status: 500, quota: true }],
  [
    '400 for bad JSON',
    { request: { path: '/created', body: '{"a":', headers: JSON_TYPE }, status: 400, quota: true },
  ],
  [
    '400 for JSON with __proto__',
    {
      request: { path: '/created', body: '{"__proto__":{"a":1}}', headers: JSON_TYPE },
      status: 400,
      quota: true,
    },
  ],
  [
    '413 for a declared body',
    {
      request: {
        path: '/created',
        method: 'POST',
        headers: { ...JSON_TYPE, 'Content-Length': '99999999' },
      },
      status: 413,
      // Node's HTTP/2 client does not declare what it does not send.
      http1Only: true,
    },
  ],
  [
    "413 for a declared body over the parser's own limit",
    {
      request: { path: '/created', body: JSON.stringify('x'.repeat(150_000)), headers: JSON_TYPE },
      status: 413,
      quota: true,
    },
  ],
  [
    '413 for a chunked body',
    {
      request: { path: '/created', body: ['"', 'x'.repeat(150_000), '"'], headers: JSON_TYPE },
      status: 413,
      quota: true,
      http1Only: true,
    },
  ],
  [
    '415 for a Content-Type without a parser',
    {
      request: { path: '/created', body: '<a/>', headers: { 'Content-Type': 'text/xml' } },
      status: 415,
      quota: true,
      only: 'Fastify',
    },
  ],
  [
    '415 for an unknown Content-Encoding',
    {
      request: { path: '/created', body: '{}', headers: { ...JSON_TYPE, 'Content-Encoding': 'evil' } },
      status: 415,
      quota: true,
    },
  ],
  ['500 by middleware that throws', { request: { path: '/middleware/throws' }, status: 500, quota: true }],
  ['middleware that ends', { request: { path: '/middleware/ends' }, status: 200 }],
  [
    'a preflight of an allowed origin',
    {
      request: {
        path: '/ok',
        method: 'OPTIONS',
        headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'POST' },
      },
      status: 204,
      granted: true,
    },
  ],
  [
    'a preflight of another origin',
    {
      request: {
        path: '/ok',
        method: 'OPTIONS',
        headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' },
      },
      status: 403,
    },
  ],
  ['a plain OPTIONS', { request: { path: '/ok', method: 'OPTIONS' }, status: 404, quota: true }],
  [
    '200 for an allowed origin',
    { request: { path: '/ok', headers: { Origin: ORIGIN } }, status: 200, granted: true, quota: true },
  ],
  [
    '500 for an allowed origin',
    { request: { path: '/throws', headers: { Origin: ORIGIN } }, status: 500, granted: true, quota: true },
  ],
  [
    '404 for an allowed origin',
    { request: { path: '/nowhere', headers: { Origin: ORIGIN } }, status: 404, granted: true, quota: true },
  ],
  [
    '403 for a rejected origin',
    {
      request: { path: '/created', method: 'POST', headers: { Origin: 'https://evil.example' } },
      status: 403,
    },
  ],
  [
    'a malformed percent escape',
    // Rejected before routing.
    { request: { path: '/text/%E0%A4%A' }, status: 400, quota: false },
  ],
  [
    'a malformed percent escape in an unknown path',
    {
      request: { path: '/%' },
      status: 400,
      quota: false,
    },
  ],
  [
    'a parameter over 100 characters',
    {
      request: { path: `/text/${'a'.repeat(101)}` },
      status: 414,
      quota: false,
      only: 'Fastify',
    },
  ],
  ['a route of another library', { request: { path: '/mounted' }, status: 200 }],
  [
    'a route of another library that fails',
    { request: { path: '/mounted/fails' }, status: 500, quota: true },
  ],
  [
    '421 for a host that is not listed',
    { request: { path: '/ok', headers: { Host: 'evil.example' } }, status: 421 },
  ],
  [
    '400 for a malformed host',
    { request: { path: '/ok', headers: { Host: 'user@localhost' } }, status: 400, http1Only: true },
  ],
  ['405 to TRACE', { request: { path: '/ok', method: 'TRACE' }, status: 405, http1Only: true }],
  ['429 by the flood limit', { request: { path: '/ok' }, status: 429, quota: true, flood: true }],
];

const DEFAULTS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'permissions-policy':
    'accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), ' +
    'magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(), ' +
    'serial=(), usb=(), xr-spatial-tracking=()',
  'content-security-policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-dns-prefetch-control': 'off',
  'cache-control': 'no-store',
};
const QUOTA_HEADERS = [
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'ratelimit-policy',
  'ratelimit',
];
const OTHERS = ['x-request-id', 'vary', 'strict-transport-security', 'x-powered-by', ...QUOTA_HEADERS];

/** Every header of interest with all its lines. */
function readLines(answer: Answer): Record<string, string[]> {
  return Object.fromEntries([...Object.keys(DEFAULTS), ...OTHERS].map(name => [name, answer.all(name)]));
}

function expectedLines(kind: Kind, platform: Platform, secure: boolean): Record<string, unknown> {
  const quota = perPlatform(kind.quota ?? false, platform);
  const expected: Record<string, unknown> = Object.fromEntries(
    Object.entries(DEFAULTS).map(([name, value]) => [name, [value]]),
  );
  if (kind.cacheControl !== undefined) expected['cache-control'] = [kind.cacheControl];
  if (kind.referrerPolicy !== undefined) expected['referrer-policy'] = [kind.referrerPolicy];
  if (kind.isNotModified)
    for (const name of ['referrer-policy', 'content-security-policy', 'x-frame-options']) expected[name] = [];
  if (kind.granted) expected['cross-origin-resource-policy'] = ['cross-origin'];
  expected['x-request-id'] = [expect.stringMatching(/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/)];
  expected['vary'] = [kind.vary?.[platform.name] ?? 'Origin'];
  expected['strict-transport-security'] = secure ? ['max-age=31536000; includeSubDomains'] : [];
  expected['x-powered-by'] = [];
  for (const name of QUOTA_HEADERS) expected[name] = quota ? [expect.stringMatching(/^["\d]/)] : [];
  return expected;
}

function perPlatform<T extends number | boolean>(value: PerPlatform<T>, platform: Platform): T {
  return typeof value === 'object' ? value[platform.name] : value;
}

/** What an error's body must hold. */
function expectedProblem(answer: Answer): object {
  return {
    type:
      answer.status === 429
        ? 'https://iana.org/assignments/http-problem-types#quota-exceeded'
        : 'about:blank',
    title: expect.stringMatching(/^[A-Z][A-Za-z -]+$/),
    status: answer.status,
    code: expect.stringMatching(/^[a-z_]+$/),
    requestId: answer.header('x-request-id'),
  };
}

function expectAnswer(answer: Answer, kind: Kind, platform: Platform, secure: boolean): void {
  expect(answer.status).toBe(perPlatform(kind.status, platform));
  expect(readLines(answer)).toEqual(expectedLines(kind, platform, secure));
  expect(answer.repeated).toEqual([]);
}

function parts(platform: Platform, extra: AppParts = {}): AppParts {
  return {
    options: { cors: { origins: [ORIGIN] } },
    controllers: [EveryKind],
    middleware: consumer => {
      consumer
        .apply(() => {
          throw new Error('a secret of the middleware');
        })
        .forRoutes('/middleware/throws');
      consumer
        .apply((_request: unknown, response: { end(text: string): void }) => response.end('ended'))
        .forRoutes('/middleware/ends');
    },
    providers: [OtherLibrary],
    // The parser's own bound, so that a small body passes it.
    ...(platform.name === 'Fastify' ? { adapter: () => new FastifyAdapter({ bodyLimit: 20_000 }) } : {}),
    ...extra,
  };
}

/** Mounts routes that Nest knows nothing of, the way MCP and GraphQL libraries do. */
@Injectable()
class OtherLibrary implements OnModuleInit {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  onModuleInit(): void {
    const adapter = this.adapterHost.httpAdapter;
    const instance = adapter.getInstance();
    const isFastify = adapter.getType() === 'fastify';
    instance.get('/mounted', (_request: unknown, response: any) =>
      isFastify ? response.send({ mounted: true }) : response.json({ mounted: true }),
    );
    instance.get('/mounted/fails', fails);
  }
}

function fails(): never {
  throw new Error('a secret of the library');
}

function describeKinds(
  platform: Platform,
  secure: boolean,
  extra: AppParts,
  send: (app: RunningApp, request: Request) => Promise<Answer>,
  kinds: typeof KINDS,
): void {
  let app: RunningApp;
  let flooded: RunningApp;

  beforeAll(async () => {
    flooded = await startShared(platform, {
      ...parts(platform, extra),
      options: { rateLimit: { flood: '1/minute' } },
    });
    app = await startShared(platform, parts(platform, extra));
  });

  beforeEach(() => {
    app.clock.advance(86_400_000);
    flooded.clock.advance(86_400_000);
  });

  const own = kinds.filter(([, { only }]) => only === undefined || only === platform.name);

  it.each(own)('%s: each header on one line', async (_title, kind) => {
    const target = kind.flood ? flooded : app;
    const before = kind.before ?? (kind.flood ? kind.request : undefined);
    if (before !== undefined) await send(target, before);
    const answer = await send(target, kind.request);
    expectAnswer(answer, kind, platform, secure);
  });

  const errors = own.filter(
    ([
      ,
      {
        status,
        request: { method },
      },
    ]) => perPlatform(status, platform) >= 400 && method !== 'HEAD',
  );

  it.each(errors)('%s: problem+json with the ID of the header', async (_title, kind) => {
    const target = kind.flood ? flooded : app;
    const before = kind.before ?? (kind.flood ? kind.request : undefined);
    if (before !== undefined) await send(target, before);
    const answer = await send(target, kind.request);
    expect(answer.all('content-type')).toEqual(['application/problem+json']);
    expect(answer.json()).toMatchObject(expectedProblem(answer));
    expect(answer.body).not.toContain('secret');
  });
}

describe.each(PLATFORMS_AND_MODES)('%s', (_title, platform) => {
  describeKinds(platform, false, {}, (app, kind) => app.send(kind.path, kind), KINDS);
});

const certificate = selfSigned();

describe.each(PLATFORMS)('%s over HTTPS', (_title, platform) => {
  const extra: AppParts =
    platform.name === 'Express'
      ? { tls: true, nest: { httpsOptions: certificate } }
      : { tls: true, adapter: () => new FastifyAdapter({ https: certificate, bodyLimit: 20_000 }) };
  describeKinds(platform, true, extra, (app, kind) => app.send(kind.path, kind), KINDS);
});

describe.each([
  ['Fastify over cleartext HTTP/2', false],
  ['Fastify over HTTP/2', true],
])('%s', (_title, tls) => {
  const platform = PLATFORMS[1]![1];
  const extra: AppParts = {
    adapter: () =>
      new FastifyAdapter({
        http2: true,
        bodyLimit: 20_000,
        ...(tls ? { https: certificate } : {}),
      } as object),
  };
  describeKinds(
    platform,
    tls,
    extra,
    (app, { path, method, body, headers }) => {
      const { Host: host, ...others } = (headers ?? {}) as Record<string, string>;
      return requestHttp2(app.port, {
        path,
        tls,
        ...(method === undefined ? {} : { method }),
        ...(body === undefined ? {} : { body: body as string }),
        headers: { ...others, ...(host === undefined ? {} : { ':authority': host }) },
      });
    },
    KINDS.filter(([, { http1Only }]) => !http1Only),
  );
});

describe('app.inject', () => {
  const platform = PLATFORMS[1]![1];
  let app: RunningApp;

  beforeAll(async () => {
    app = await startShared(platform, parts(platform));
  });

  const expectHeadersOnce = async (url: string, status: number): Promise<void> => {
    const response = await (app.app.getHttpAdapter().getInstance() as any).inject({ url });
    expect(response.statusCode).toBe(status);
    const { headers } = response as { headers: Record<string, string | string[]> };
    for (const [name, value] of Object.entries(DEFAULTS))
      expect([name, headers[name]]).toEqual([name, value]);
    expect(headers['x-request-id']).toEqual(expect.any(String));
    expect(Object.values(headers).filter(Array.isArray)).toEqual([]);
  };

  it.each([
    ['200', '/ok', 200],
    ['404', '/nowhere', 404],
    ['500', '/throws', 500],
  ])('%s: each header once', (_title, url, status) => expectHeadersOnce(url, status));

  describe('not routed', () => {
    it('a malformed percent escape: each header once', () => expectHeadersOnce('/%', 400));
  });
});

describe('HTTP by a client with a trusted proxy', () => {
  it.each(PLATFORMS)('%s sends HSTS where the proxy says https', async (_title, platform) => {
    const app = await startShared(platform, {
      ...parts(platform),
      options: { trustProxy: 'loopback' },
    });
    const secure = await request(app.port, { path: '/ok', headers: { 'X-Forwarded-Proto': 'https' } });
    const plain = await request(app.port, { path: '/ok', headers: { 'X-Forwarded-Proto': 'http' } });
    expect(secure.header('strict-transport-security')).toBe('max-age=31536000; includeSubDomains');
    expect(plain.header('strict-transport-security')).toBeUndefined();
  });
});
