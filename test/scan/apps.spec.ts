/* Apps as people have them, scanned over real HTTP: bare Nest, one assembled from other packages, and one with the module. */
import { Module, type INestApplication } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { type AppParts, start } from '../support/start.js';
import { HomeController } from '../support/controllers.js';
import { type Platform, PLATFORMS } from '../support/platforms.js';
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
const OURS: AppParts = { options: { auth: { identify: () => undefined, publicPaths: ['/'] } } };

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

describe.each(PLATFORMS)('%s', (name, platform) => {
  it('grades bare Nest', async () => {
    const report = await scanApp(platform, BARE);
    expect(report.scan.grade).toBe('F');
    console.log(name, report.scan, idsIn(report));
  });

  it('grades helmet, cors and throttler', async () => {
    const report = await scanApp(platform, ASSEMBLED, true);
    console.log(
      name,
      report.scan,
      idsIn(report),
      report.findings.map(f => f.message).join('\n'),
      report.notes,
    );
  });

  it('grades the module', async () => {
    const report = await scanApp(platform, OURS, true);
    console.log(name, report.scan, report.findings, report.notes);
  });
});
