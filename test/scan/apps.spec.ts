/* Apps as people have them, scanned over real HTTP: bare Nest, one assembled from other packages, and one with the module. */
import type { IncomingMessage as Request, ServerResponse as Response } from 'node:http';
import { Controller, Get, type INestApplication, Module, Post } from '@nestjs/common';
import { Public } from '../../src/index.js';
import { APP_GUARD } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { type AppParts, start } from '../support/start.js';
import { HomeController } from '../support/controllers.js';
import { EXPRESS, type Platform, PLATFORMS } from '../support/platforms.js';
import { gradesIn, idsIn, type ScanJson, scanJson } from '../support/scan.js';
import { selfSigned } from '../support/self-signed.js';

jest.setTimeout(60_000);

/** What helmet 8.3.0 sends by default, measured. */
const HELMET = {
  'Content-Security-Policy':
    "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Origin-Agent-Cluster': '?1',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  'X-DNS-Prefetch-Control': 'off',
  'X-Download-Options': 'noopen',
  'X-Frame-Options': 'SAMEORIGIN',
  'X-Permitted-Cross-Domain-Policies': 'none',
  'X-XSS-Protection': '0',
};

function addHelmet(app: INestApplication): void {
  app.use(
    (
      _request: unknown,
      response: { setHeader(name: string, value: string): void; removeHeader(name: string): void },
      next: () => void,
    ) => {
      response.removeHeader('X-Powered-By');
      for (const [name, value] of Object.entries(HELMET)) response.setHeader(name, value);
      next();
    },
  );
}

@Module({
  imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: 1000 }])],
  providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
})
class Throttled {}

const BARE: AppParts = { security: false };
const ASSEMBLED: AppParts = {
  security: false,
  imports: [Throttled],
  configure: app => {
    addHelmet(app);
    app.enableCors({ origin: 'https://app.example.com', credentials: true });
  },
};
@Controller()
class PublicController {
  @Public()
  @Get()
  get(): string {
    return 'served';
  }
}
const OURS: AppParts = { controllers: [PublicController], options: { auth: { identify: () => undefined } } };

async function scanApp({ name, ...rest }: Platform, parts: AppParts, hasTls = false): Promise<ScanJson> {
  const { key, cert } = selfSigned();
  const tls: AppParts = !hasTls
    ? {}
    : name === 'Fastify'
      ? { adapter: () => new FastifyAdapter({ https: { key, cert } } as object) }
      : { nest: { httpsOptions: { key, cert } } };
  const { port, clock } = await start({ name, ...rest }, { controllers: [HomeController], ...parts, ...tls });
  return scanJson(`${hasTls ? 'https' : 'http'}://127.0.0.1:${port}/`, {
    clock,
    ca: cert,
    bounds: { requestMs: 500 },
  });
}

/** What Nest and both stacks have in common. */
const OF_NEST = [
  'ASEC-S020',
  'ASEC-S021',
  'ASEC-S022',
  'ASEC-S036',
  'ASEC-S045',
  'ASEC-S051',
  'ASEC-S053',
  'ASEC-S056',
  'ASEC-S070',
];
/** Express awaits bodies that it will not read, serves `//`, and names itself. */
const OF_EXPRESS = ['ASEC-S041', 'ASEC-S043'];

describe.each(PLATFORMS)('%s', (name, platform) => {
  const isExpress = name === 'Express';

  it('gives bare Nest an F, as the Observatory does', async () => {
    const report = await scanApp(platform, BARE);
    expect(idsIn(report)).toEqual(
      [
        ...OF_NEST,
        'ASEC-S001',
        'ASEC-S008',
        'ASEC-S009',
        'ASEC-S080',
        ...(isExpress ? [...OF_EXPRESS, 'ASEC-S054'] : []),
      ].toSorted(),
    );
    expect([report.scan.grade, report.scan.sections[0], report.scan.behindTls]).toEqual([
      'F',
      { section: 'headers', grade: 'F', score: 10 },
      { section: 'headers', grade: 'C', score: 50 },
    ]);
    expect(gradesIn(report)).toMatchObject({ hosts: 'F', origins: 'A-', limits: 'A-', tls: 'A+' });
  });

  it('gives helmet, cors and throttler an A+ for headers, and an F for hosts', async () => {
    const report = await scanApp(platform, ASSEMBLED, true);
    // helmet does not see what Fastify rejects before its middleware.
    expect(idsIn(report)).toEqual([...OF_NEST, ...(isExpress ? OF_EXPRESS : ['ASEC-S050'])].toSorted());
    expect([report.scan.grade, report.scan.sections[0]]).toEqual([
      'F',
      { section: 'headers', grade: 'A+', score: 120 },
    ]);
    expect(gradesIn(report)).toMatchObject({ hosts: 'F', limits: 'A+', tls: 'A+' });
  });

  it('gives the module an A+ in each section', async () => {
    const report = await scanApp(platform, OURS, true);
    expect([report.findings, report.notes]).toEqual([[], []]);
    expect(report.scan.sections[0]).toEqual({ section: 'headers', grade: 'A+', score: 130 });
    expect([report.scan.grade, ...new Set(Object.values(gradesIn(report)))]).toEqual(['A+', 'A+']);
  });
});

test('an MCP endpoint without protection is found, and one behind the module is not', async () => {
  @Controller()
  class McpController extends PublicController {
    @Public()
    @Post('mcp')
    answer(): object {
      return { jsonrpc: '2.0', id: 1, result: { tools: [] } };
    }
  }
  const scanMcp = async (parts: AppParts): Promise<string[]> => {
    const { port, clock } = await start(EXPRESS, { controllers: [McpController], ...parts });
    const report = await scanJson(
      `http://127.0.0.1:${port}/`,
      { clock, bounds: { requestMs: 500 } },
      '--mcp',
      '/mcp',
    );
    return idsIn(report).filter(id => id.startsWith('ASEC-S09'));
  };
  expect(await scanMcp({ security: false })).toEqual([
    'ASEC-S090',
    'ASEC-S091',
    'ASEC-S092',
    'ASEC-S093',
    'ASEC-S094',
  ]);
  // Its tools are public here.
  expect(await scanMcp({ options: { mcp: { path: '/mcp' } } })).toEqual(['ASEC-S094']);
});

test('the limit of the module holds against forged addresses and keys, and its Retry-After is honest', async () => {
  const report = await scanApp(EXPRESS, { options: { rateLimit: { limits: '95/minute' } } });
  expect(gradesIn(report)['limits']).toBe('A+');
});

test('a limit by forged address or by any API key is found', async () => {
  const counts = new Map<string, number>();
  const limit = (request: Request, response: Response, next: () => void): void => {
    const key = `${request.headers['x-forwarded-for']} ${request.headers['x-api-key']}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    if (counts.get(key)! <= 80) return next();
    response.statusCode = 429;
    response.setHeader('Retry-After', '1');
    response.end();
  };
  const report = await scanApp(EXPRESS, { security: false, configure: app => void app.use(limit) });
  expect(idsIn(report).filter(id => id.startsWith('ASEC-S08'))).toEqual([
    'ASEC-S081',
    'ASEC-S083',
    'ASEC-S084',
    'ASEC-S085',
  ]);
});
