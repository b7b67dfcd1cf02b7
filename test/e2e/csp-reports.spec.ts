import { Controller, Get } from '@nestjs/common';
import {
  type AgentSecurityOptions,
  ContentSecurityPolicy,
  CspReports,
  type SecurityEvent,
  SecurityEvents,
} from '../../src/index.js';
import type { Answer, RequestOptions } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

@Controller()
class Routes {
  @Get()
  root(): object {
    return {};
  }

  @Get('page')
  @ContentSecurityPolicy({ scriptSrc: "'self'" })
  page(): object {
    return {};
  }

  @Get('own')
  @ContentSecurityPolicy({ reportUri: 'https://reports.test/' })
  own(): object {
    return {};
  }
}

const PATH = '/.well-known/csp-reports';
const REPORT = JSON.stringify([
  {
    type: 'csp-violation',
    url: 'https://app.test/',
    body: {
      effectiveDirective: 'script-src-elem',
      blockedURL: 'https://evil.test/x?secret',
      documentURL: 'https://app.test/a?secret',
    },
  },
]);

describe.each(PLATFORMS)('reports of violated policies on %s', (_title, platform) => {
  const launch = (options: AgentSecurityOptions = {}): Promise<RunningApp> =>
    start(platform, { controllers: [Routes], options: { cspReports: true, ...options } });
  const report = (app: RunningApp, options: Omit<RequestOptions, 'path'> = {}): Promise<Answer> =>
    app.send(PATH, {
      method: 'POST',
      body: REPORT,
      headers: { 'Content-Type': 'application/reports+json' },
      ...options,
    });
  const policyOf = (answer: Answer): string[] => answer.header('content-security-policy')!.split('; ');

  it('are counted although another address has made up as many kinds as are kept', async () => {
    const app = await launch({ trustProxy: 'loopback' });
    const from = (address: string, body = REPORT): Promise<Answer> =>
      report(app, {
        body,
        headers: { 'Content-Type': 'application/reports+json', 'X-Forwarded-For': address },
      });
    const invented = (page: number): string =>
      JSON.stringify(
        Array.from({ length: 100 }, (_, n) => ({
          type: 'csp-violation',
          body: { effectiveDirective: 'img-src', blockedURL: `https://${page}-${n}.test/` },
        })),
      );
    for (let page = 0; page < 3; page++) await from('203.0.113.1', invented(page));
    await from('198.51.100.1');
    for (let page = 3; page < 6; page++) await from('203.0.113.1', invented(page));
    const { top } = app.app.get(CspReports).summary(1_000);
    expect(top).toContainEqual({ directive: 'script-src-elem', blocked: 'https://evil.test', count: 1 });
    expect(top).toHaveLength(200);
  });

  it('are counted, sampled and emitted, and not logged', async () => {
    const app = await launch();
    const events: SecurityEvent[] = [];
    app.app.get(SecurityEvents).on('csp.report', event => events.push(event));
    const answer = await report(app);
    expect([answer.status, answer.body, answer.header('x-frame-options')]).toEqual([204, '', 'DENY']);
    expect(app.app.get(CspReports).summary()).toEqual({
      total: 1,
      others: 0,
      top: [{ directive: 'script-src-elem', blocked: 'https://evil.test', count: 1 }],
      samples: [
        {
          directive: 'script-src-elem',
          blocked: 'https://evil.test',
          page: 'https://app.test/a',
          disposition: 'enforce',
        },
      ],
    });
    expect(events).toMatchObject([
      {
        type: 'csp.report',
        address: '127.0.0.1',
        requestId: answer.header('x-request-id'),
        blocked: 'https://evil.test',
        count: 1,
        omitted: 0,
      },
    ]);
    expect(app.logger.text).not.toMatch(/secret|evil/);
  });

  it('are emitted at most once a second', async () => {
    const app = await launch();
    const events: SecurityEvent<'csp.report'>[] = [];
    app.app.get(SecurityEvents).on('csp.report', event => events.push(event));
    for (let n = 0; n < 3; n++) await report(app);
    app.clock.advance(1_000);
    await report(app);
    expect(events.map(({ count, omitted }) => [count, omitted])).toEqual([
      [1, 0],
      [4, 2],
    ]);
  });

  it('every policy names the report endpoint', async () => {
    const app = await launch();
    for (const path of ['/', '/page', '/nowhere']) {
      const answer = await app.send(path);
      expect(answer.header('reporting-endpoints')).toBe(`csp="${PATH}"`);
      expect(policyOf(answer)).toEqual(expect.arrayContaining([`report-uri ${PATH}`, 'report-to csp']));
    }
  });

  it('a policy with its own report-uri keeps it', async () => {
    const app = await launch();
    expect(policyOf(await app.send('/own')).filter(part => part.startsWith('report'))).toEqual([
      'report-uri https://reports.test/',
    ]);
    const other = await launch({ headers: { reportingEndpoints: { mine: 'https://reports.test/' } } });
    const answer = await other.send('/');
    expect(answer.header('reporting-endpoints')).toBe('mine="https://reports.test/"');
    expect(answer.header('content-security-policy')).not.toContain('report');
  });

  it('are off by default', async () => {
    const app = await launch({ cspReports: false });
    expect((await report(app)).status).toBe(404);
    const answer = await app.send('/');
    expect([
      answer.all('reporting-endpoints'),
      policyOf(answer).filter(part => part.startsWith('report')),
    ]).toEqual([[], []]);
  });

  it.each<[string, Omit<RequestOptions, 'path'>, number]>([
    [
      'the form of old browsers',
      {
        body: '{"csp-report":{"violated-directive":"img-src"}}',
        headers: { 'Content-Type': 'application/csp-report' },
      },
      204,
    ],
    ['without a length', { body: [REPORT.slice(0, 50), REPORT.slice(50)] }, 204],
    ['another type', { headers: { 'Content-Type': 'application/json' } }, 415],
    ['no type', { headers: {} }, 415],
    [
      'a compressed body',
      { headers: { 'Content-Type': 'application/csp-report', 'Content-Encoding': 'gzip' } },
      415,
    ],
    ['no JSON', { body: 'hello' }, 400],
    ['no report', { body: '{"a":1}' }, 400],
    ['a body at the bound', { body: REPORT + ' '.repeat(65_536 - REPORT.length) }, 204],
    ['a body over the bound', { body: REPORT + ' '.repeat(65_537 - REPORT.length) }, 413],
    [
      'a body over the bound, without a length',
      { body: [REPORT, ' '.repeat(65_536)], headers: { 'Content-Type': 'application/csp-report' } },
      413,
    ],
  ])('%s: %d', async (_what, options, status) => {
    const app = await launch();
    const answer = await report(app, options);
    expect([answer.status, answer.header('content-type')]).toEqual([
      status,
      status === 204 ? undefined : 'application/problem+json',
    ]);
    expect(app.app.get(CspReports).summary().total).toBe(status === 204 ? 1 : 0);
  });

  it.each(['GET', 'PUT', 'DELETE', 'OPTIONS'])('%s: 405', async method => {
    const app = await launch();
    const answer = await app.send(PATH, { method });
    expect([answer.status, answer.header('allow')]).toEqual([405, 'POST, OPTIONS']);
  });

  it('come from pages of any origin, and nothing else does', async () => {
    const app = await launch();
    const headers = {
      'Content-Type': 'application/reports+json',
      Origin: 'https://elsewhere.test',
      'Sec-Fetch-Site': 'cross-site',
    };
    expect((await report(app, { headers })).status).toBe(204);
    expect((await report(app, { headers: { ...headers, Origin: 'null' } })).status).toBe(204);
    for (const path of ['/', `${PATH}/`, `${PATH}x`, `/x${PATH}`])
      expect((await app.send(path, { method: 'POST', body: REPORT, headers })).status).toBe(403);
  });

  it('answers the preflight of such a page, without credentials', async () => {
    const app = await launch();
    const answer = await app.send(PATH, {
      method: 'OPTIONS',
      headers: {
        Origin: 'https://elsewhere.test',
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'content-type',
      },
    });
    expect([
      answer.status,
      answer.header('access-control-allow-origin'),
      answer.header('access-control-allow-headers'),
    ]).toEqual([204, '*', 'Content-Type']);
    expect(answer.all('access-control-allow-credentials')).toEqual([]);
  });

  it('have a limit of their own', async () => {
    const app = await launch();
    const statuses: number[] = [];
    for (let n = 0; n < 61; n++) statuses.push((await report(app)).status);
    expect(statuses).toEqual([...Array.from({ length: 60 }, () => 204), 429]);
    const answer = await report(app);
    expect(Number(answer.header('retry-after'))).toBeGreaterThan(0);
    app.clock.advance(61_000);
    expect((await report(app)).status).toBe(204);
  });
});
