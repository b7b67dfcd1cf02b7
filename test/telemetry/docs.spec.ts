/* What docs/telemetry.md shows, run as it is printed: the exporters, the health check, the table of metrics and the dashboard. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Type } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { Counter, register } from 'prom-client';
import ts from 'typescript';
import * as security from '../../src/index.js';
import { HelloController } from '../support/controllers.js';
import { freePort } from '../support/free-port.js';
import { request } from '../support/http.js';
import { JSON_HEADERS } from '../support/mcp.js';
import { EXPRESS, PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';
import { Sdk, startSdk } from './sdk.js';

const ROOT = join(__dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/telemetry.md'), 'utf8');

/** Runs a block of the page in this process. */
function load(title: string, change = (text: string): string => text): Record<string, Type> {
  const text = new RegExp(`\`\`\`ts title=${title}\\n([^]*?)\`\`\``).exec(PAGE)![1]!;
  const { outputText } = ts.transpileModule(change(text), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.CommonJS,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  });
  const exports: Record<string, Type> = {};
  const importModule = (name: string): unknown =>
    name === 'nestjs-agent-security' ? security : (require(name) as unknown);
  // The text is this repository's own documentation.
  // oxlint-disable-next-line no-new-func typescript/no-implied-eval
  new Function('exports', 'require', outputText)(exports, importModule);
  return exports;
}

const store: security.QuotaStore = {
  consume: async charges => ({
    granted: true,
    policyStates: charges
      .flatMap(({ policies }) => policies)
      .map(policy => ({ policy, remaining: 1, resetMs: 1, violated: false })),
  }),
};
/** An app that has every metric. */
const WHOLE = {
  controllers: [HelloController],
  options: { telemetry: true, mcp: {}, rateLimit: { limits: '10/minute', store } },
} as const;
const ping = { body: '{"jsonrpc":"2.0","id":1,"method":"ping"}', headers: JSON_HEADERS };

describe('instrumentation.ts', () => {
  it('serves the metrics on a port of its own', async () => {
    const registered = new Sdk();
    await registered.close();
    const port = await freePort();
    load('instrumentation.ts', text => text.replace('9464', String(port)));
    const { send } = await start(EXPRESS, { ...WHOLE, controllers: [...WHOLE.controllers] });
    await send('/');
    await send('/', { headers: { Host: 'evil.example' } });
    const { status, body } = await request(port, { path: '/metrics' });
    expect(status).toBe(200);
    expect(body).toMatch(/^agent_security_requests_total\{result="ok"[^}]*\} 1$/m);
    expect(body).toMatch(
      /^agent_security_requests_total\{result="rejected",code="host_not_allowed"[^}]*\} 1$/m,
    );
    await registered.close();
  });
});

describe.each(PLATFORMS)('%s', (_title, platform) => {
  it('metrics.controller.ts adds the metrics to those of prom-client', async () => {
    await new Sdk().close();
    new Counter({ name: 'mine_total', help: 'mine' }).inc(7);
    const { MetricsController } = load('metrics.controller.ts');
    const { send } = await start(platform, { ...WHOLE, controllers: [HelloController, MetricsController!] });
    await send('/');
    const answer = await send('/metrics');
    register.clear();
    expect([answer.status, answer.header('Content-Type')]).toEqual([
      200,
      expect.stringContaining('text/plain'),
    ]);
    expect(answer.body).toMatch(/^mine_total 7$/m);
    expect(answer.body).toMatch(/^agent_security_requests_total\{result="ok"[^}]*\} 1$/m);
  });

  it('health.controller.ts answers', async () => {
    const { HealthController } = load('health.controller.ts');
    const { send } = await start(platform, {
      imports: [TerminusModule],
      controllers: [HealthController!],
      options: { audit: false },
    });
    expect((await send('/health')).json()).toMatchObject({
      status: 'ok',
      details: { security: { status: 'up' } },
    });
  });
});

describe('the names of metrics', () => {
  const exported = async (): Promise<{
    names: readonly string[];
    text: string;
    units: Map<string, string>;
  }> => {
    const sdk = startSdk();
    const { send } = await start(EXPRESS, { ...WHOLE, controllers: [...WHOLE.controllers] });
    await send('/');
    await send('/mcp', ping);
    const metrics = await sdk.collect();
    return {
      names: [...metrics.keys()],
      units: new Map([...metrics].map(([name, { unit }]) => [name, unit])),
      text: new PrometheusSerializer().serialize(await sdk.resourceMetrics()),
    };
  };

  it('are those of the table, with their units', async () => {
    const rows = [...PAGE.matchAll(/^\| `([a-z_.]+\.[a-z_.]+)`\s*\| [\w -]+\| `([^`]+)`/gm)];
    const table = new Map(rows.map(([, name, unit]) => [name!, unit!]));
    expect((await exported()).units).toEqual(table);
  });

  it('of the dashboard exist, each as Prometheus has it', async () => {
    const dashboard = readFileSync(join(ROOT, 'docs/grafana-dashboard.json'), 'utf8');
    const { panels } = JSON.parse(dashboard) as { panels: { targets: { expr: string }[] }[] };
    const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const used = new Set(queries.flatMap(query => query.match(/\b(?:agent_security|mcp_server)_\w+/g) ?? []));
    const { text, names } = await exported();
    const series = new Set([...text.matchAll(/^(\w+)\{/gm)].map(([, name]) => name!));
    expect([...used].filter(name => !series.has(name))).toEqual([]);
    // Each metric is on the dashboard.
    const shown = [...used].join(' ');
    expect(names.filter(name => !shown.includes(name.replaceAll('.', '_')))).toEqual([]);
  });
});
