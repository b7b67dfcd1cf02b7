/* Every snippet of the README and of docs/ is proven here: TypeScript is type-checked, modules are started and called, commands
 * are run, and answers are compared with those that are printed. A block that nothing proves fails the first test. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import {
  Controller,
  Get,
  type INestApplication,
  Logger,
  type LoggerService,
  type MiddlewareConsumer,
  Post,
  type Type,
} from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import ts from 'typescript';
import { resolveOptions } from '../src/resolve-options.js';
import { runKeysCommand } from '../src/cli/keys-command.js';
import * as security from '../src/index.js';
import { ManualClock } from './support/clock.js';
import { request } from './support/http.js';
import { SECRET, TestKeys } from './support/keys.js';
import { generatedSources } from './support/nest-new.js';
import { EXPRESS, type Platform, PLATFORMS } from './support/platforms.js';
import { type AppParts, type RunningApp, start } from './support/start.js';

const ROOT = resolve(__dirname, '..');

interface Block {
  readonly file: string;
  readonly language: string;
  /** The rest of the info string: `title=app.module.ts`, `run=app.module.ts`, `output`. */
  readonly info: string;
  readonly text: string;
}

const PAGES = [
  'README.md',
  'SKILL.md',
  'llms.txt',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md') && !name.startsWith('.vitepress'))
    .map(name => `docs/${name.replaceAll('\\', '/')}`),
];
// The blocks without a title on pages of docs/reference are generated from declarations that the compiler has read.
const BLOCKS = PAGES.flatMap(readBlocks).filter(
  ({ file, info }) => !file.startsWith('docs/reference/') || info !== '',
);

function readBlocks(file: string): Block[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/^```([a-z]*)(?: (.*))?\n([\s\S]*?)^```$/gm)].map(([, language, info, body]) => ({
    file,
    language: language!,
    info: info ?? '',
    text: body!,
  }));
}

const hasBlock = (file: string, info: string): boolean =>
  BLOCKS.some(candidate => candidate.file === file && candidate.info === info);

function block(file: string, info: string): Block {
  const found = BLOCKS.filter(candidate => candidate.file === file && candidate.info === info);
  if (found.length !== 1) throw new Error(`${found.length} blocks "${info}" in ${file}`);
  return found[0]!;
}

/**
 * What proves each block: `type` the type check alone, `start` a start on both platforms, `own` a test of its own below, `shown`
 * nothing: commands of other programs, which a change of this package cannot break.
 */
const PROOFS: Readonly<Record<string, 'type' | 'start' | 'own' | 'shown'>> = {
  'docs/redis.md title=limits.module.ts': 'type',
  'docs/redis.md title=sentinels.ts': 'type',
  'README.md run=install': 'own',
  'README.md title=app.module.ts': 'start',
  'README.md run=app.module.ts': 'own',
  'README.md output': 'own',
  'README.md title=setup': 'own',
  'README.md title=.env': 'own',
  'README.md title=security.ts': 'own',
  'README.md title=reports.controller.ts': 'own',
  'README.md title=keys': 'own',
  'README.md title=data.controller.ts': 'own',
  'README.md title=users.controller.ts': 'own',
  'README.md title=mcp.ts': 'own',
  'SKILL.md title=install': 'own',
  'SKILL.md title=app.module.ts': 'start',
  'SKILL.md title=deployed.module.ts': 'start',
  'SKILL.md title=reports.controller.ts': 'own',
  'SKILL.md title=users.controller.ts': 'own',
  'SKILL.md title=mcp.module.ts': 'own',
  'SKILL.md title=app.e2e-spec.ts': 'own',
  'docs/architecture.md ': 'own',
  'docs/guides/install.md title=add': 'own',
  'docs/guides/install.md title=replace': 'own',
  'docs/guides/install.md title=app.module.ts': 'start',
  'docs/guides/configuration.md title=env.module.ts': 'start',
  'docs/guides/configuration.md title=async.module.ts': 'start',
  'docs/guides/configuration.md title=custom-guard.module.ts': 'start',
  'docs/guides/configuration.md title=reports.controller.ts': 'own',
  'docs/guides/configuration.md title=problem': 'own',
  'docs/guides/headers.md output': 'own',
  'docs/guides/headers.md title=pages.controller.ts': 'own',
  'docs/guides/headers.md title=framing.module.ts': 'start',
  'docs/guides/proxies.md title=nginx.conf': 'own',
  'docs/guides/proxies.md title=.env': 'own',
  'docs/guides/proxies.md title=check': 'shown',
  'docs/guides/proxies.md title=proxied.module.ts': 'start',
  'docs/guides/proxies.md title=header.module.ts': 'start',
  'docs/guides/proxies.md title=probe.module.ts': 'own',
  'docs/guides/proxies.md title=probes.module.ts': 'start',
  'docs/guides/cors.md title=cors.module.ts': 'start',
  'docs/guides/cors.md title=client.ts': 'own',
  'docs/guides/cors.md title=login.controller.ts': 'own',
  'docs/guides/sse.md title=answers.controller.ts': 'own',
  'docs/guides/sse.md title=resume': 'own',
  'docs/guides/swagger-ui.md title=swagger.module.ts': 'start',
  'docs/guides/swagger-ui.md title=main.ts': 'type',
  'docs/guides/swagger-ui.md title=oauth2.module.ts': 'start',
  'docs/guides/swagger-ui.md title=oauth2.ts': 'type',
  'docs/guides/logging.md title=pino.module.ts': 'start',
  'docs/guides/logging.md title=logging.module.ts': 'own',
  'docs/guides/redis.md title=install': 'shown',
  'docs/guides/redis.md title=.env': 'own',
  'docs/guides/redis.md title=check': 'shown',
  'docs/guides/login-attempts.md title=login.service.ts': 'own',
  'docs/guides/testing.md title=app.e2e-spec.ts': 'own',
  'docs/guides/testing.md title=app.spec.ts': 'type',
  'docs/guides/testing.md title=vitest': 'shown',
  'docs/guides/testing.md title=vitest.config.mjs': 'own',
  'docs/guides/testing.md title=jest': 'shown',
  'docs/guides/testing.md title=jest.config.mjs': 'own',
  'docs/guides/testing.md title=jest-esm': 'shown',
  'docs/guides/testing.md title=jest-esm.config.mjs': 'own',
  'docs/guides/deployment.md title=main.ts': 'type',
  'docs/guides/deployment.md title=Dockerfile': 'own',
  'docs/guides/deployment.md title=docker': 'shown',
  'docs/guides/deployment.md title=app.module.ts': 'own',
  'docs/guides/deployment.md title=deployment.yaml': 'own',
  'docs/guides/deployment.md title=lambda.ts': 'own',
  'docs/guides/deployment.md title=lambda.module.ts': 'start',
  'docs/guides/deployment.md title=lambda-express.ts': 'own',
  // By test/deployment/whole.spec.ts.
  'docs/guides/full-deployment.md title=nginx.conf': 'own',
  'docs/guides/full-deployment.md title=.env': 'own',
  'docs/guides/full-deployment.md title=reporting.module.ts': 'start',
  'docs/authentication.md title=auth.module.ts': 'type',
  'docs/authentication.md title=key-store.ts': 'type',
  'docs/authentication.md title=tokens.module.ts': 'type',
  'docs/authentication.md title=provider.module.ts': 'type',
  'docs/authentication.md title=token-endpoint.module.ts': 'type',
  'docs/authentication.md title=identify.module.ts': 'start',
  'docs/audit.md title=import.service.ts': 'type',
  'docs/audit.md title=siem.module.ts': 'start',
  'docs/csp-reports.md title=reports.service.ts': 'type',
  'docs/reference/errors.md title=quota.exception.ts': 'own',
  'docs/input.md title=files.controller.ts': 'type',
  'docs/input.md title=validation.ts': 'type',
  'docs/mcp.md title=mcp.module.ts': 'type',
  'docs/migration.md title=step1.module.ts': 'start',
  'docs/migration.md title=step4.module.ts': 'start',
  'docs/rate-limits.md title=tenants.controller.ts': 'own',
  'docs/rate-limits.md title=completions.controller.ts': 'own',
  'docs/reference/events.md title=alerts.service.ts': 'own',
  'docs/dashboard.md title=app.module.ts': 'type',
  'docs/dashboard.md title=key': 'shown',
  'docs/telemetry.md title=install': 'shown',
  'docs/telemetry.md title=app.module.ts': 'start',
  // By test/telemetry/docs.spec.ts.
  'docs/telemetry.md title=instrumentation.ts': 'own',
  'docs/telemetry.md title=metrics.controller.ts': 'own',
  'docs/telemetry.md title=health.controller.ts': 'own',
  'docs/tools.md title=job.service.ts': 'type',
  'docs/tools.md title=users.controller.ts': 'type',
  'docs/timeouts.md title=answers.controller.ts': 'type',
  'docs/verbs.md title=documents.controller.ts': 'own',
  // By test/check/cli.spec.ts.
  'docs/check.md title=check': 'own',
  'docs/check.md title=security.e2e-spec.ts': 'type',
  'docs/check.md title=app.module.ts': 'type',
  // By test/deployment/ci-guide.spec.ts.
  'docs/guides/ci.md title=security.yml': 'own',
  'docs/guides/ci.md title=code-scanning.yml': 'own',
  'docs/guides/ci.md title=deployed.yml': 'own',
  'docs/guides/ci.md title=.gitlab-ci.yml': 'own',
  // By test/deployment/container.spec.ts.
  'docs/guides/compose.md title=secrets': 'shown',
  'docs/guides/compose.md title=start': 'shown',
  'docs/guides/compose.md title=compose.yaml': 'own',
  'docs/guides/compose.md title=nginx.conf': 'own',
  // By test/scan/scan-command.spec.ts.
  'docs/scan.md title=scan': 'own',
  'docs/scan.md title=compare': 'own',
};

test('every block is proven', () => {
  // The messages of docs/reference/errors.md and the grammar of docs/rate-limits.md are compared with the code in docs.spec.ts.
  const named = BLOCKS.filter(({ language }) => language !== 'text' && language !== '');
  expect(named.map(({ file, info }) => `${file} ${info}`).toSorted()).toEqual(Object.keys(PROOFS).toSorted());
});

/* ---- types ---- */

/** What `nest new` generates, and what a snippet may import. */
const GENERATED = generatedSources(12);
const CONTROLLER = GENERATED['src/app.controller.ts'];
const SERVICE = GENERATED['src/app.service.ts'];

/** For snippets that import the app's module, on pages that have none of their own. */
const APP_MODULE = block('README.md', 'title=app.module.ts').text;

const TYPESCRIPT = BLOCKS.filter(({ language }) => language === 'ts');

describe('type check', () => {
  /** Files that exist for the compiler only, beside src so that imports resolve as in a project. */
  const folderOf = (file: string): string => join(ROOT, 'snippets', file.replace(/\W/g, '-'));
  const pathOf = ({ file, info }: Block): string => join(folderOf(file), info.replace('title=', ''));
  let program: ts.Program;

  beforeAll(() => {
    const virtual = new Map(TYPESCRIPT.map(one => [pathOf(one), one.text]));
    for (const file of PAGES) {
      virtual.set(join(folderOf(file), 'app.controller.ts'), CONTROLLER);
      virtual.set(join(folderOf(file), 'app.service.ts'), SERVICE);
      const appModule = join(folderOf(file), 'app.module.ts');
      if (!virtual.has(appModule)) virtual.set(appModule, APP_MODULE);
    }
    const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), name => ts.sys.readFile(name)) as {
      config: { compilerOptions: object };
    };
    const { options } = ts.convertCompilerOptionsFromJson(
      { ...config.compilerOptions, lib: ['ES2023', 'DOM', 'DOM.Iterable'], types: ['node', 'jest'] },
      ROOT,
    );
    const host = ts.createCompilerHost(options);
    const { fileExists, readFile, getSourceFile, directoryExists } = host;
    host.fileExists = name => virtual.has(name) || fileExists(name);
    host.readFile = name => virtual.get(name) ?? readFile(name);
    host.directoryExists = name =>
      [...virtual.keys()].some(path => path.startsWith(`${name}/`)) || directoryExists!(name);
    host.getSourceFile = (name, ...rest) => {
      const text = virtual.get(name);
      return text === undefined ? getSourceFile(name, ...rest) : ts.createSourceFile(name, text, rest[0]);
    };
    program = ts.createProgram([...virtual.keys()], options, host);
  }, 120_000);

  it.each(TYPESCRIPT.map((one): [string, Block] => [`${one.file} ${one.info}`, one]))('%s', (_title, one) => {
    const source = program.getSourceFile(pathOf(one))!;
    const problems = ts.getPreEmitDiagnostics(program, source);
    expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
  });

  test('a wrong snippet would be found', () => {
    const wrong = ts.transpileModule('const a: = 1;', { reportDiagnostics: true });
    expect(wrong.diagnostics).not.toEqual([]);
    expect(program.getSourceFile(pathOf(TYPESCRIPT[0]!))!.text).toBe(TYPESCRIPT[0]!.text);
  });
});

/* ---- behaviour ---- */

type Exports = Record<string, Type>;

/** Runs a snippet in this process; `nestjs-agent-security` is src. */
function load(file: string, title: string): Exports {
  return evaluate(file, block(file, `title=${title}`).text);
}

function evaluate(file: string, text: string): Exports {
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.CommonJS,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      esModuleInterop: true,
    },
  });
  const importModule = (name: string): unknown => {
    if (name === 'nestjs-agent-security') return security;
    if (name === './app.controller.js') return evaluate(file, CONTROLLER);
    if (name === './app.service.js') return SERVICE_EXPORTS;
    if (name === './app.module.js' && !hasBlock(file, 'title=app.module.ts'))
      return evaluate(file, APP_MODULE);
    if (name.startsWith('./')) return load(file, name.slice(2).replace(/\.js$/, '.ts'));
    return require(name);
  };
  const exports: Exports = {};
  // The text is this repository's own documentation.
  // oxlint-disable-next-line no-new-func typescript/no-implied-eval
  new Function('exports', 'require', outputText)(exports, importModule);
  return exports;
}

/** Once, since a provider is found by its class. */
const SERVICE_EXPORTS = evaluate('README.md', SERVICE);

@Controller('watched')
class WatchedController {
  @Get()
  @security.RateLimit({ limit: '2/minute', alertAt: [0.5] })
  read(): string {
    return 'ok';
  }
}

@Controller()
class HelloController {
  @Get()
  hello(): string {
    return 'Hello World!';
  }
}

/** Starts a snippet's AppModule. */
const startModule = (
  platform: Platform,
  file: string,
  title: string,
  parts: AppParts = {},
): Promise<RunningApp> => startImports(platform, [load(file, title)['AppModule']!], parts);

/** Starts modules of a snippet, with a clock that stands still. */
const startImports = (platform: Platform, imports: unknown[], parts: AppParts = {}): Promise<RunningApp> => {
  const clock = new ManualClock();
  return start(
    { ...platform, mode: 'Testing' },
    {
      security: false,
      imports: imports as NonNullable<AppParts['imports']>,
      ...parts,
      clock,
      override: builder => builder.overrideProvider(security.CLOCK).useValue(clock),
    },
  );
};

/** Runs with variables of the environment, which a snippet's options come from. */
async function withEnvironment(
  env: Readonly<Record<string, string>>,
  run: () => Promise<void>,
): Promise<void> {
  const before = { ...process.env };
  Object.assign(process.env, env);
  try {
    await run();
  } finally {
    for (const name of Object.keys(env)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}

const byTitle = (proof: string): [string, string, string][] =>
  Object.entries(PROOFS)
    .filter(([, value]) => value === proof)
    .map(([key]) => [key, key.split(' title=')[0]!, key.split(' title=')[1]!]);

describe.each(PLATFORMS)('%s', (_title, platform) => {
  it.each(byTitle('start'))('%s starts and protects', async (_name, file, title) => {
    const app = await startModule(platform, file, title);
    const named = /api\.example\.com/.test(block(file, `title=${title}`).text)
      ? 'api.example.com'
      : 'localhost';
    const answer = await app.send('/nowhere', { headers: { Host: named } });
    expect(answer.status).toBe(404);
    expect(answer.json()).toMatchObject({ code: 'not_found', requestId: answer.header('X-Request-ID') });
    expect(answer.header('X-Content-Type-Options')).toBe('nosniff');
    const foreign = await app.send('/nowhere', { headers: { Host: 'evil.example' } });
    expect(foreign.status).toBe(421);
  });

  test('probe.module.ts serves a probe that names an address', async () => {
    const app = await startModule(platform, 'docs/guides/proxies.md', 'probe.module.ts');
    const statusOf = async (path: string): Promise<number> =>
      (await app.send(path, { headers: { Host: '10.0.0.5:3000' } })).status;
    expect([await statusOf('/healthz'), await statusOf('/')]).toEqual([200, 421]);
  });

  test('async.module.ts takes the host from the factory and exempts the probe', async () => {
    const app = await startModule(platform, 'docs/guides/configuration.md', 'async.module.ts');
    expect((await app.send('/', { headers: { Host: 'localhost' } })).status).toBe(421);
    expect((await app.send('/healthz', { headers: { Host: '10.0.0.7' } })).status).toBe(404);
  });

  test('users.controller.ts is a tool of high impact, whose audit record does not show the reason', async () => {
    const controllers = [load('README.md', 'users.controller.ts')['UsersController']!];
    const { send, logger } = await start(platform, { controllers });
    const answer = await send('/users/7', {
      method: 'DELETE',
      headers: { 'Content-Type': 'application/json' },
      body: '{"reason":"gone"}',
    });
    expect([answer.status, answer.json()]).toEqual([200, { deleted: '7' }]);
    expect(answer.header('RateLimit-Policy')).toContain('"delete_user/100-per-hour";q=100;w=3600');
    const [started] = logger.find('"event":"started"', 'log');
    expect(JSON.parse(started!.message)).toMatchObject({
      tool: 'delete_user',
      params: { path: { id: '7' }, body: { reason: '[redacted]' } },
    });
  });

  test("the README's reports.controller.ts admits four creations a minute", async () => {
    const controllers = [load('README.md', 'reports.controller.ts')['ReportsController']!];
    const app = await start(platform, { controllers });
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 5; attempt++)
      statuses.push((await app.send('/reports', { method: 'POST' })).status);
    expect(statuses).toEqual([201, 201, 201, 201, 429]);
  });

  test("the README's .env, security.ts and keys work together", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'readme-'));
    const keyFile = join(folder, 'keys.json');
    const printed = parseEnv(block('README.md', 'title=.env').text) as Record<string, string>;
    // Keys and Redis are those of the test; everything else is as it is printed.
    const env = { ...printed, AUTH_KEYS_FILE: keyFile, AUTH_KEY_SECRET: SECRET, REDIS_URL: '' };
    const [create] = block('README.md', 'title=keys').text.split('\n');
    const output: string[] = [];
    const status = await runKeysCommand(create!.split(' ').slice(2), {
      env,
      nowMs: Date.UTC(2030, 0, 1),
      out: line => output.push(line),
      err: () => undefined,
    });
    expect([status, output.length]).toEqual([0, 1]);

    await withEnvironment(env, async () => {
      const app = await startImports(platform, [load('README.md', 'security.ts')['security']!], {
        controllers: [load('README.md', 'data.controller.ts')['DataController']!],
      });
      const headers = { Host: 'api.example.com' };
      const sendWith = (more: Record<string, string>) =>
        app.send('/data', { headers: { ...headers, ...more } });
      expect((await sendWith({})).status).toBe(401);
      const answer = await sendWith({ 'X-API-Key': output[0]!.trim() });
      expect([answer.status, answer.json()]).toEqual([200, { for: 'billing-bot' }]);
      expect((await sendWith({ Host: 'localhost' })).status).toBe(421);
      const origin = { Origin: 'https://app.example.com', 'Access-Control-Request-Method': 'GET' };
      const preflight = await app.send('/data', { method: 'OPTIONS', headers: { ...headers, ...origin } });
      expect(preflight.status).toBe(204);
      const probe = await app.send('/healthz', { headers: { Host: '10.0.0.7' } });
      expect([probe.status, probe.header('RateLimit')]).toEqual([404, undefined]);
    });
    rmSync(folder, { recursive: true });
  });

  test("the README's mcp.ts protects an MCP endpoint that no guard reaches", async () => {
    await withEnvironment({ AUTH_API_KEYS: '{"agents":{},"keys":[]}', AUTH_KEY_SECRET: SECRET }, async () => {
      const app = await startImports(platform, [load('README.md', 'mcp.ts')['security']!], {
        controllers: [HelloController],
      });
      const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
      const answer = await app.send('/mcp', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body,
      });
      expect([answer.status, (answer.json() as { jsonrpc: string }).jsonrpc]).toEqual([401, '2.0']);
    });
  });

  describe('SKILL.md', () => {
    const withKeys = (
      agents: Record<string, readonly string[]>,
      run: (keys: Record<string, string>) => Promise<void>,
    ): Promise<void> => {
      const keys = new TestKeys();
      const added = Object.entries(agents).map(([agent, scopes]) => [agent, keys.add(agent, { scopes }).key]);
      const env = { AUTH_API_KEYS: JSON.stringify(keys.book), AUTH_KEY_SECRET: SECRET };
      return withEnvironment(env, () => run(Object.fromEntries(added) as Record<string, string>));
    };
    const ask = async (app: RunningApp, method: string, path: string, key?: string): Promise<number> =>
      (await app.send(path, { method, ...(key && { headers: { 'X-API-Key': key } }) })).status;

    test('reports.controller.ts asks for scopes, limits creations and has a public status', async () => {
      const controllers = [load('SKILL.md', 'reports.controller.ts')['ReportsController']!];
      await withKeys({ reader: ['reports:read'], writer: ['reports:write'] }, async keys => {
        const app = await startImports(platform, [security.AgentSecurityModule.forRoot({ auth: true })], {
          controllers,
        });
        expect(await ask(app, 'GET', '/reports')).toBe(401);
        const list = await app.send('/reports', { headers: { 'X-API-Key': keys['reader']! } });
        expect([list.status, list.json()]).toEqual([200, { for: 'reader' }]);
        expect(await ask(app, 'POST', '/reports', keys['reader'])).toBe(403);
        const creations: number[] = [];
        for (let call = 0; call < 3; call++)
          creations.push(await ask(app, 'POST', '/reports', keys['writer']));
        expect(creations).toEqual([201, 201, 429]);
        expect(await ask(app, 'GET', '/reports/status')).toBe(200);
      });
    });

    test('users.controller.ts runs for agents that its list names', async () => {
      await withKeys({ 'admin-bot': [], reporting: [] }, async keys => {
        const app = await startModule(platform, 'SKILL.md', 'users.controller.ts');
        expect(await ask(app, 'DELETE', '/users/7', keys['admin-bot'])).toBe(200);
        expect(await ask(app, 'DELETE', '/users/7', keys['reporting'])).toBe(403);
        expect(app.logger.find('"event":"started"', 'log')).toHaveLength(1);
      });
    });

    test('mcp.module.ts answers JSON-RPC without a key with 401', async () => {
      await withKeys({}, async () => {
        const app = await startModule(platform, 'SKILL.md', 'mcp.module.ts');
        const headers = { 'Content-Type': 'application/json' };
        const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
        const answer = await app.send('/mcp', { method: 'POST', headers, body });
        expect([answer.status, (answer.json() as { jsonrpc: string }).jsonrpc]).toEqual([401, '2.0']);
      });
    });
  });

  test('pages.controller.ts changes two headers of its route', async () => {
    const controllers = [load('docs/guides/headers.md', 'pages.controller.ts')['PagesController']!];
    const app = await start(platform, { controllers });
    const page = await app.send('/pages');
    expect(page.header('Content-Security-Policy')).toContain("default-src 'none'");
    expect(page.header('Content-Security-Policy')).toContain("img-src 'self' data:");
    expect(page.header('Referrer-Policy')).toBe('strict-origin');
    expect((await app.send('/nowhere')).header('Referrer-Policy')).toBe('no-referrer');
  });

  test('login.controller.ts accepts the POST of one other site', async () => {
    const controllers = [load('docs/guides/cors.md', 'login.controller.ts')['LoginController']!];
    const app = await start(platform, { controllers });
    const post = (origin: string) =>
      app.send('/login/apple', {
        body: 'state=1&id_token=x',
        headers: { Origin: origin, 'Content-Type': 'application/x-www-form-urlencoded' },
      });
    expect((await post('https://appleid.apple.com')).json()).toEqual({ received: '1' });
    expect((await post('https://evil.example')).status).toBe(403);
  });

  test('a probe of Kubernetes names the pod, and gets 200 without a key', async () => {
    const path = 'docs/guides/deployment.md';
    await withEnvironment({ AUTH_API_KEYS: '{"agents":{},"keys":[]}', AUTH_KEY_SECRET: SECRET }, async () => {
      const app = await startModule(platform, path, 'app.module.ts');
      const probe = /path: (\S+), port: 3000/.exec(block(path, 'title=deployment.yaml').text)![1]!;
      const answer = await app.send(probe, { headers: { Host: '10.1.2.3:3000' } });
      expect([answer.status, answer.json(), answer.header('RateLimit')]).toEqual([
        200,
        { status: 'ok' },
        undefined,
      ]);
      expect((await app.send('/', { headers: { Host: '10.1.2.3:3000' } })).status).toBe(421);
    });
  });

  describe('reports.controller.ts', () => {
    const startReports = (): Promise<RunningApp> =>
      start(platform, {
        controllers: [load('docs/guides/configuration.md', 'reports.controller.ts')['ReportsController']!],
      });

    test('the list has its own cache policy and the quota of the class', async () => {
      const answer = await (await startReports()).send('/reports');
      expect(answer.header('Cache-Control')).toBe('public, max-age=60');
      expect(answer.header('RateLimit-Policy')).toBe(
        '"10-per-second";q=10;w=1, "1000-per-hour";q=1000;w=3600',
      );
    });

    test('a creation costs 25 of 100', async () => {
      const app = await startReports();
      const statuses: number[] = [];
      for (let attempt = 0; attempt < 5; attempt++) {
        statuses.push((await app.send('/reports', { method: 'POST' })).status);
      }
      expect(statuses).toEqual([201, 201, 201, 201, 429]);
    });

    test('a creation knows its ID and its client', async () => {
      const answer = await (await startReports()).send('/reports', { method: 'POST' });
      expect(answer.json()).toEqual({ id: answer.header('X-Request-ID'), address: '127.0.0.1' });
    });

    test('the status has no limit', async () => {
      const answer = await (await startReports()).send('/reports/status');
      expect([answer.status, answer.header('RateLimit')]).toEqual([200, undefined]);
    });

    test('the admin page answers for its host only', async () => {
      const app = await startReports();
      expect((await app.send('/reports/admin', { headers: { Host: 'admin.localhost' } })).status).toBe(200);
      expect((await app.send('/reports/admin', { headers: { Host: 'localhost' } })).status).toBe(421);
    });
  });

  test('the 429 is the one that is printed', async () => {
    const app = await start(platform, { controllers: [HelloController] });
    for (let hit = 0; hit < 10; hit++) await app.send('/');
    const answer = await app.send('/');
    const printed = JSON.parse(block('docs/guides/configuration.md', 'title=problem').text) as object;
    expect(answer.json()).toEqual({ ...printed, requestId: answer.header('X-Request-ID') });
    expect(Object.keys(answer.json() as object)).toEqual(Object.keys(printed));
  });

  describe('nginx.conf', () => {
    /** What nginx would send for a client that forged what it could. */
    const proxied = (client: string): Record<string, string> => {
      const forged = { 'X-Forwarded-For': `6.6.6.${client.split('.')[3]}` };
      const variables: Record<string, string> = {
        $http_host: 'api.example.com',
        $scheme: 'https',
        $proxy_add_x_forwarded_for: `${forged['X-Forwarded-For']}, ${client}`,
      };
      const lines = block('docs/guides/proxies.md', 'title=nginx.conf').text.matchAll(
        /proxy_set_header (\S+) (\S+);/g,
      );
      return Object.fromEntries(
        [...lines]
          // Empty for a request that is no upgrade.
          .filter(([, , value]) => value !== '""' && !value!.endsWith('upgrade'))
          .map(([, name, value]) => [name!, variables[value!]!]),
      );
    };

    test('the variables do the same as the module', async () => {
      const env = parseEnv(block('docs/guides/proxies.md', 'title=.env').text) as Record<string, string>;
      await withEnvironment(env, async () => {
        const app = await startModule(platform, 'README.md', 'app.module.ts');
        const first = await app.send('/', { headers: proxied('203.0.113.7') });
        expect(first.header('Strict-Transport-Security')).toBe('max-age=31536000; includeSubDomains');
        const other = await app.send('/', { headers: proxied('203.0.113.8') });
        expect([other.status, other.header('X-RateLimit-Remaining')]).toEqual([200, '9']);
      });
    });

    test('the app knows the scheme and the client', async () => {
      const app = await startModule(platform, 'docs/guides/proxies.md', 'proxied.module.ts', {
        controllers: [HelloController],
      });
      const first = await app.send('/', { headers: proxied('203.0.113.7') });
      expect(first.header('Strict-Transport-Security')).toBe('max-age=31536000; includeSubDomains');
      expect(first.header('X-RateLimit-Remaining')).toBe('9');
      const other = await app.send('/', { headers: proxied('203.0.113.8') });
      expect(other.header('X-RateLimit-Remaining')).toBe('9');
      const again = await app.send('/', {
        headers: { ...proxied('203.0.113.7'), 'X-Forwarded-For': '8.8.8.8, 203.0.113.7' },
      });
      expect(again.header('X-RateLimit-Remaining')).toBe('8');
    });
  });

  describe('cors.module.ts and client.ts', () => {
    const client = block('docs/guides/cors.md', 'title=client.ts').text;
    const requestHeaders = [...client.match(/headers: \{(.*)\}/)![1]!.matchAll(/'([\w-]+)':/g)].map(
      ([, name]) => name!,
    );

    it.each(['https://app.example.com', 'https://pr-7.preview.example.com'])(
      '%s may send it',
      async origin => {
        const app = await startModule(platform, 'docs/guides/cors.md', 'cors.module.ts', {
          controllers: [HelloController],
        });
        const preflight = await app.send('/', {
          method: 'OPTIONS',
          headers: {
            Origin: origin,
            'Access-Control-Request-Method': /method: '(\w+)'/.exec(client)![1]!,
            'Access-Control-Request-Headers': requestHeaders.join(',').toLowerCase(),
          },
        });
        expect(preflight.status).toBe(204);
        expect(preflight.header('Access-Control-Allow-Origin')).toBe(origin);
        expect(preflight.header('Access-Control-Allow-Credentials')).toBe('true');
        const allowed = preflight.header('Access-Control-Allow-Headers')!.split(', ');
        expect(allowed).toEqual(expect.arrayContaining(requestHeaders));
        expect(requestHeaders).toContain('Idempotency-Key');
      },
    );

    test('the page can read Retry-After on a 429', async () => {
      const app = await startModule(platform, 'docs/guides/cors.md', 'cors.module.ts', {
        controllers: [HelloController],
      });
      const headers = { Origin: 'https://app.example.com' };
      for (let hit = 0; hit < 10; hit++) await app.send('/', { headers });
      const answer = await app.send('/', { headers });
      expect(answer.status).toBe(429);
      expect(answer.header('Access-Control-Expose-Headers')!.split(', ')).toContain('Retry-After');
      expect(answer.header('Access-Control-Allow-Origin')).toBe('https://app.example.com');
    });
  });

  test('answers.controller.ts resumes behind Last-Event-ID', async () => {
    const app = await start(platform, {
      controllers: [load('docs/guides/sse.md', 'answers.controller.ts')['AnswersController']!],
    });
    const whole = await app.send('/answers/stream');
    expect(whole.body.match(/^(?:id|data): .*$/gm)).toEqual([
      'id: 1',
      'data: one',
      'id: 2',
      'data: two',
      'id: 3',
      'data: three',
    ]);
    const rest = await app.send('/answers/stream', { headers: { 'Last-Event-ID': '2' } });
    expect(rest.body.match(/^(?:id|data): .*$/gm)).toEqual(['id: 3', 'data: three']);
    expect(rest.header('X-Content-Type-Options')).toBe('nosniff');
  });

  test('the commands of the SSE guide print the whole stream, then its rest', async () => {
    const controllers = [load('docs/guides/sse.md', 'answers.controller.ts')['AnswersController']!];
    const app = await start(platform, { controllers });
    const commands = block('docs/guides/sse.md', 'title=resume').text.trim().split('\n');
    const events: string[][] = [];
    for (const command of commands) {
      const text = command.replace('localhost:3000', `localhost:${app.port}`);
      const { stdout } = await promisify(execFile)('sh', ['-c', text]);
      events.push(stdout.match(/^data: .*$/gm) ?? []);
    }
    expect(events).toEqual([['data: one', 'data: two', 'data: three'], ['data: three']]);
  });

  test('swagger.module.ts gives Swagger UI what its page holds, and data nothing', async () => {
    const app = await startModule(platform, 'docs/guides/swagger-ui.md', 'swagger.module.ts', {
      controllers: [HelloController],
      configure: (nest: INestApplication) => {
        SwaggerModule.setup('docs', nest, SwaggerModule.createDocument(nest, new DocumentBuilder().build()));
      },
    });
    const page = await app.send('/docs');
    expect(page.status).toBe(200);
    expect(page.header('Content-Security-Policy')).toBe(
      "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; " +
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:",
    );
    expect(page.body).toContain('<style>');
    expect(page.body).not.toMatch(/<script(?![^>]*src=)/);
    const data = await app.send('/docs-json');
    expect(data.header('Content-Security-Policy')).toContain("default-src 'none'");
  });

  test('login.service.ts', async () => {
    const LoginService = load('docs/guides/login-attempts.md', 'login.service.ts')['LoginService'] as Type<{
      attempt(email: string): Promise<void>;
      succeeded(email: string): Promise<void>;
    }>;

    @Controller()
    class LoginController {
      constructor(private readonly login: InstanceType<typeof LoginService>) {}
      @Post('login')
      async attempt(): Promise<void> {
        await this.login.attempt('Ada@example.com');
      }
    }
    Reflect.defineMetadata('design:paramtypes', [LoginService], LoginController);
    const app = await start(platform, { controllers: [LoginController], providers: [LoginService] });
    const service = app.app.get(LoginService);
    for (let attempt = 0; attempt < 5; attempt++) await service.attempt('ada@example.com');
    const rejected = await app.send('/login', { method: 'POST' });
    expect(rejected.status).toBe(429);
    expect(rejected.json()).toMatchObject({
      code: 'rate_limited',
      detail: 'Too many attempts',
      retry_after_seconds: 900,
    });
    await service.succeeded('ADA@example.com');
    expect((await app.send('/login', { method: 'POST' })).status).toBe(201);
  });

  describe('app.e2e-spec.ts', () => {
    const spec = load('docs/guides/testing.md', 'app.e2e-spec.ts') as unknown as {
      createWithoutLimits(): Promise<INestApplication>;
      createWithClock(clock: { nowMs: number }): Promise<INestApplication>;
    };
    const open: INestApplication[] = [];
    afterEach(async () => {
      for (const app of open.splice(0)) await app.close();
    });
    const listen = async (app: INestApplication): Promise<number> => {
      open.push(app);
      await app.listen(0, '127.0.0.1');
      return (app.getHttpServer().address() as { port: number }).port;
    };

    test('without limits, nothing but the limits is gone', async () => {
      const port = await listen(await spec.createWithoutLimits());
      for (let hit = 0; hit < 11; hit++) expect((await request(port, { path: '/' })).status).toBe(200);
      expect((await request(port, { path: '/nowhere' })).status).toBe(404);
      expect((await request(port, { path: '/', headers: { Host: 'evil.example' } })).status).toBe(421);
    });

    test('with a clock, a window passes at once', async () => {
      const clock = { nowMs: Date.UTC(2030, 0, 1) };
      const port = await listen(await spec.createWithClock(clock));
      for (let hit = 0; hit < 10; hit++) expect((await request(port, { path: '/' })).status).toBe(200);
      expect((await request(port, { path: '/' })).status).toBe(429);
      clock.nowMs += 1_000;
      expect((await request(port, { path: '/' })).status).toBe(200);
    });
  });

  test('logging.module.ts puts the ID into the lines of a request', async () => {
    // test/e2e/logging.spec.ts tests the same code, and nestjs-pino, in more ways.
    const { LoggingModule, RequestLogger } = load('docs/guides/logging.md', 'logging.module.ts') as Record<
      'LoggingModule' | 'RequestLogger',
      Type<LoggerService>
    >;

    @Controller()
    class LoggingController {
      private readonly logger = new Logger('Tools');
      @Get()
      async run(): Promise<void> {
        await new Promise(resolve => setImmediate(resolve));
        this.logger.log('ran');
      }
    }
    let text = '';
    const write = jest.spyOn(process.stdout, 'write').mockImplementation(chunk => {
      text += String(chunk);
      return true;
    });
    const app = await start(platform, {
      controllers: [LoggingController],
      imports: [LoggingModule],
      configure: nest => nest.useLogger(nest.get(RequestLogger)),
    });
    await app.send('/', { headers: { 'X-Request-ID': 'chosen.1' } });
    write.mockRestore();
    Logger.overrideLogger(false);
    expect(text.split('\n').filter(line => line.includes('[Tools'))).toEqual([
      expect.stringContaining('[Tools chosen.1]'),
    ]);
  });

  test('quota.exception.ts keeps its members', async () => {
    const { PlanExceededException } = load('docs/reference/errors.md', 'quota.exception.ts');

    @Controller()
    class PlanController {
      @Get()
      run(): void {
        throw new PlanExceededException!('free') as Error;
      }
    }
    const answer = await (await start(platform, { controllers: [PlanController] })).send('/');
    expect(answer.json()).toEqual({
      type: 'about:blank',
      title: 'Forbidden',
      status: 403,
      detail: 'The plan "free" has no more runs.',
      code: 'plan_exceeded',
      requestId: answer.header('X-Request-ID'),
      plan: 'free',
    });
  });

  test('tenants.controller.ts counts by tenant', async () => {
    const app = await start(platform, {
      controllers: [load('docs/rate-limits.md', 'tenants.controller.ts')['TenantsController']!],
      middleware: (consumer: MiddlewareConsumer) =>
        consumer
          .apply(
            (req: { headers: Record<string, string>; tenant?: string }, _res: unknown, next: () => void) => {
              req.tenant = req.headers['x-verified-tenant']!;
              next();
            },
          )
          .forRoutes('*path'),
    });
    const left = async (tenant: string): Promise<string | undefined> =>
      (await app.send('/tenants', { headers: { 'X-Verified-Tenant': tenant } })).header(
        'X-RateLimit-Remaining',
      );
    expect([await left('a'), await left('a'), await left('b')]).toEqual(['99', '98', '99']);
  });

  test('completions.controller.ts charges what was spent', async () => {
    const app = await start(platform, {
      controllers: [load('docs/rate-limits.md', 'completions.controller.ts')['CompletionsController']!],
    });
    const answer = await app.send('/completions', { method: 'POST' });
    expect([answer.status, answer.body]).toEqual([201, 'Hello']);
    expect(answer.header('RateLimit')).toContain(`"tokens";r=${100_000 - 512}`);
  });

  test('alerts.service.ts hears of a budget that is nearly spent', async () => {
    const app = await start(platform, {
      controllers: [WatchedController],
      providers: [load('docs/reference/events.md', 'alerts.service.ts')['AlertsService']!],
    });
    await app.send('/watched');
    expect(app.logger.find('127.0.0.1 has used 50 % of 2-per-minute', 'warn')).toHaveLength(1);
  });

  test('documents.controller.ts tells a verb from a plain POST', async () => {
    const app = await start(platform, {
      controllers: [load('docs/verbs.md', 'documents.controller.ts')['DocumentsController']!],
    });
    const post = async (headers: Record<string, string>): Promise<[number, unknown]> => {
      const answer = await app.send('/documents/5', { method: 'POST', headers });
      return [answer.status, answer.json()];
    };
    expect(await post({})).toEqual([201, { replaced: '5' }]);
    expect(await post({ 'X-HTTP-Method-Override': 'SUMMARIZE' })).toEqual([200, { summary: 'of 5' }]);
  });

  test('step4.module.ts leaves local probes alone', async () => {
    const app = await startModule(platform, 'docs/migration.md', 'step4.module.ts', {
      controllers: [HelloController],
    });
    const answer = await app.send('/');
    expect([answer.status, answer.header('RateLimit')]).toEqual([200, undefined]);
  });
});

async function firstAnswer(): Promise<ReturnType<typeof readAnswer>> {
  const app = await startModule(EXPRESS, 'README.md', 'app.module.ts');
  const command = block('README.md', 'run=app.module.ts').text.trim();
  expect(command).toContain('localhost:3000');
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    command.replace('localhost:3000', `localhost:${app.port}`),
  ]);
  return readAnswer(stdout.replaceAll('\r', ''));
}

test('the first command and its whole output', async () => {
  expect(await firstAnswer()).toEqual(readAnswer(block('docs/guides/headers.md', 'output').text.trimEnd()));
});

test('the README shortens that output', async () => {
  const got = await firstAnswer();
  const printed = readAnswer(block('README.md', 'output').text.trimEnd());
  const names = new Set(printed.headers.map(([name]) => name));
  expect(printed).toEqual({ ...got, headers: got.headers.filter(([name]) => names.has(name)) });
});

/** An answer without what differs from run to run, whose form is checked instead. */
function readAnswer(text: string): { status: string; headers: [string, string][]; body: string } {
  const [head, ...body] = text.split('\n\n');
  const [status, ...lines] = head!.split('\n');
  const forms: Record<string, RegExp> = {
    'X-Request-ID': /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    'X-RateLimit-Reset': /^\d{10}$/,
    Date: /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/,
  };
  const headers = lines.map((line): [string, string] => {
    const [, name, value] = /^([\w-]+): (.*)$/.exec(line)!;
    const form = forms[name!];
    return [name!, form === undefined ? value! : String(form.exec(value!) !== null)];
  });
  return { status: status!, headers, body: body.join('\n\n') };
}

test('the first command installs this package', () => {
  const { name } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { name: string };
  // package.spec.ts installs the tarball.
  expect(block('README.md', 'run=install').text).toBe(`npm i ${name}\n`);
});

test('the commands of nest add name this package and an option of the schematic', () => {
  // test/schematics/nest-add-cli.spec.ts runs it.
  const { name } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { name: string };
  const command = `npx nest add ${name}\n`;
  expect(block('SKILL.md', 'title=install').text).toBe(command);
  expect(block('docs/guides/install.md', 'title=add').text).toBe(command);
  const schema = JSON.parse(readFileSync(join(ROOT, 'src/schematics/nest-add.schema.json'), 'utf8')) as {
    properties: object;
  };
  expect(Object.keys(schema.properties)).toContain('replace');
  expect(block('docs/guides/install.md', 'title=replace').text).toContain(' --skip-install --replace\n');
});

test('app.e2e-spec.ts of SKILL.md makes an app without limits', async () => {
  const { createWithoutLimits } = load('SKILL.md', 'app.e2e-spec.ts') as unknown as {
    createWithoutLimits(): Promise<INestApplication>;
  };
  const app = await createWithoutLimits();
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as { port: number };
  const statuses: number[] = [];
  for (let hit = 0; hit < 11; hit++) statuses.push((await request(port, { path: '/nowhere' })).status);
  await app.close();
  expect([...new Set(statuses)]).toEqual([404]);
});

test('the set-up command is a script of package.json', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  expect(block('README.md', 'title=setup').text).toBe('npm ci && npm start\n');
  expect(Object.keys(scripts)).toContain('start');
});

test('the Redis guide sets the variable that opens a store', () => {
  const env = parseEnv(block('docs/guides/redis.md', 'title=.env').text) as Record<string, string>;
  const { rateLimit } = resolveOptions({}, name => env[name]);
  expect(rateLimit).toMatchObject({ redisUrl: 'redis://127.0.0.1:6379/0' });
});

test('lambda-express.ts sends all headers of the module', async () => {
  const log = jest.spyOn(process.stdout, 'write').mockImplementation(() => true);
  const { handler } = load('docs/guides/deployment.md', 'lambda-express.ts') as unknown as {
    handler: (
      ...call: readonly unknown[]
    ) => Promise<{ statusCode: number; headers: Record<string, string> }>;
  };
  const event = {
    version: '2.0',
    rawPath: '/nowhere',
    rawQueryString: '',
    headers: { host: 'api.example.com', 'x-forwarded-for': '6.6.6.6' },
    body: '',
    isBase64Encoded: false,
    requestContext: { http: { method: 'GET', path: '/nowhere', sourceIp: '203.0.113.9' } },
  };
  const { statusCode, headers } = await handler(event, {}, () => undefined);
  log.mockRestore();
  expect([statusCode, headers['content-type']]).toEqual([404, 'application/problem+json']);
  expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-request-id': expect.any(String) });
  expect(headers['strict-transport-security']).toMatch(/^max-age=/);
});

test('lambda.ts knows the scheme and the client, whatever the client claims', async () => {
  const log = jest.spyOn(process.stdout, 'write').mockImplementation(() => true);
  const { handler } = load('docs/guides/deployment.md', 'lambda.ts') as unknown as {
    handler(event: object): Promise<{ statusCode: number; headers: Record<string, string>; body: string }>;
  };
  const call = (sourceIp: string, headers: Record<string, string> = {}) =>
    handler({
      rawPath: '/',
      rawQueryString: '',
      headers: { host: 'api.example.com', ...headers },
      isBase64Encoded: false,
      requestContext: { http: { method: 'GET', sourceIp } },
    });
  const first = await call('203.0.113.7', { forwarded: 'for=6.6.6.6', 'x-forwarded-for': '6.6.6.6' });
  log.mockRestore();
  expect([first.statusCode, Buffer.from(first.body, 'base64').toString()]).toEqual([200, 'Hello World!']);
  expect(first.headers).toMatchObject({
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
    'x-ratelimit-remaining': '9',
  });
  expect((await call('203.0.113.7')).headers['x-ratelimit-remaining']).toBe('8');
  expect((await call('203.0.113.8')).headers['x-ratelimit-remaining']).toBe('9');
  expect((await call('203.0.113.8', { host: 'evil.example' })).statusCode).toBe(421);
});

test('the image runs as a user without privileges, and the manifest names variables that the module reads', () => {
  const dockerfile = block('docs/guides/deployment.md', 'title=Dockerfile').text.trim().split('\n');
  const user = dockerfile.indexOf('USER node');
  expect(user).toBeGreaterThan(dockerfile.findIndex(line => line.startsWith('COPY --from=build')));
  expect(dockerfile.findIndex(line => line.startsWith('CMD'))).toBeGreaterThan(user);
  const manifest = block('docs/guides/deployment.md', 'title=deployment.yaml').text;
  expect(manifest).toContain('runAsNonRoot: true');
  const read = new Set<string>();
  resolveOptions({ auth: { identify: () => undefined } }, name => void read.add(name));
  const named = [...manifest.matchAll(/name: ([A-Z_]+)/g)].map(([, name]) => name!);
  expect(named).toContain('TRUST_PROXY');
  // The secret is read only where there are keys.
  expect(named.filter(name => !read.has(name))).toEqual(['AUTH_KEY_SECRET']);
});

describe('the table of platforms in docs/guides/proxies.md', () => {
  const [, table] = readFileSync(join(ROOT, 'docs/guides/proxies.md'), 'utf8').split(
    '## One line per platform',
  );
  const values = new Map(
    [...table!.split('\n## ')[0]!.matchAll(/^\| (?!platform )(\w[\w ]*?) +\| ([^|]*)\|/gm)].map(
      ([, platform, cell]) => [platform!, /`([\w.,/]+)`/.exec(cell!)?.[1]],
    ),
  );

  test('names values that the module takes', () => {
    const given = [...values.values()].filter(value => value !== undefined);
    expect(given).toEqual(expect.arrayContaining(['10.0.0.0/8', '1', '2', 'loopback']));
    for (const value of given)
      expect(() => resolveOptions({}, name => (name === 'TRUST_PROXY' ? value : undefined))).not.toThrow();
  });

  it.each([
    ['Cloud Run', '6.6.6.6, 203.0.113.7'],
    ['Fly', '6.6.6.6, 203.0.113.7, 66.241.124.1'],
  ])('%s: the client is the address that the platform saw', async (platform, forwarded) => {
    @Controller()
    class AddressController {
      @Get()
      read(@security.ClientAddress() address: string): string {
        return address;
      }
    }
    await withEnvironment({ TRUST_PROXY: values.get(platform)! }, async () => {
      const { send } = await start(EXPRESS, { controllers: [AddressController] });
      expect((await send('/', { headers: { 'X-Forwarded-For': forwarded } })).body).toBe('203.0.113.7');
    });
  });
});

describe('docs/guides/testing.md', () => {
  test.each([
    ['nest11-jest', 'jest.config.mjs'],
    ['nest12-jest-esm', 'jest-esm.config.mjs'],
    ['nest12-vitest', 'vitest.config.mjs'],
  ])('shows what the consumer project %s runs with', (project, file) => {
    const used = readFileSync(join(ROOT, 'test/consumers', project, file), 'utf8');
    expect(block('docs/guides/testing.md', `title=${file}`).text).toBe(used);
  });
});

describe('docs/architecture.md', () => {
  const page = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const features = readFileSync(join(ROOT, 'src/features.ts'), 'utf8');
  const listOf = (name: string): string[] =>
    [...features.split(`export const ${name}`)[1]!.split('= [')[1]!.split(']')[0]!.matchAll(/\w+/g)].map(
      ([item]) => item,
    );
  /** Reject nothing, and are in no diagram. */
  const OBSERVERS = new Set([
    'FIRST_CHECK',
    'FIGURES',
    'LAST_CHECK',
    'FIRST_TELEMETRY_GUARD',
    'LAST_TELEMETRY_GUARD',
  ]);
  /** The words of the diagrams for each entry, in the order of src/features.ts. */
  const WORDS: readonly (readonly [
    list: string,
    entries: readonly (readonly [entry: string, word: string])[],
  ])[] = [
    [
      'CHECKS',
      [
        ['REQUEST_HEAD', 'head'],
        ['HostCheck', 'host'],
        ['OriginCheck', 'origin and CORS'],
        ['FloodCheck', 'flood'],
        ['URL_CHECK', 'URL'],
        ['METHOD_CHECK', 'method'],
        ['REPEATED_FIELDS', 'repeated fields'],
        ['VERB_CHECK', 'verb'],
        ['DECLARED_BODY_CHECK', 'declared body'],
        ['DenialCache', 'known denials'],
      ],
    ],
    [
      'STAGES',
      [
        ['MCP_STAGE', 'MCP'],
        ['EndpointDetector', 'endpoint detector'],
        ['UrlCredentialStage', 'credentials in URLs'],
        ['CspReportStage', 'CSP reports'],
        ['PollingStage', 'polling'],
        ['METADATA_STAGE', 'metadata'],
        ['TOKEN_ENDPOINT', 'token endpoint'],
        ['DASHBOARD_STAGE', 'dashboard'],
      ],
    ],
    [
      'GUARDS',
      [
        ['TIMEOUT_GUARD', 'timeout'],
        ['TOOL_AUDIT_GUARD', 'tool audit'],
        ['HOST_GUARD', 'host'],
        ['CROSS_SITE_GUARD', 'cross-site'],
        ['AUTH_GUARD', 'auth'],
        ['RATE_LIMIT_GUARD', 'rate limit'],
        ['SCOPES_GUARD', 'scopes'],
        ['BODY_GUARD', 'body'],
      ],
    ],
  ];

  it.each(WORDS)('%s stands in both diagrams, in the order of src/features.ts', (list, entries) => {
    expect(entries.map(([entry]) => entry)).toEqual(listOf(list).filter(entry => !OBSERVERS.has(entry)));
    const flatText = page.replaceAll(/<br>|│/g, ' ').replaceAll(/\s+/g, ' ');
    const words = entries.map(([, word]) => word);
    const isOneRun = new RegExp(words.join('(?:,| →) ?'));
    const runs = flatText.match(new RegExp(isOneRun, 'g')) ?? [];
    expect(runs).toHaveLength(2);
  });
});
