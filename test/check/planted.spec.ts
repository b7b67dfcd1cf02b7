/* Each planted mistake is found by its own check, and by no other: apps as users write them, loaded and not listening. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, type INestApplication, Post } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ServeStaticModule } from '@nestjs/serve-static';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { WebSocketGateway } from '@nestjs/websockets';
import {
  AgentSecurityModule,
  AgentTool,
  type AgentSecurityOptions,
  type CheckAppOptions,
  type CheckReport,
  FileKeyStore,
  QuotaThrottlerStorage,
} from '../../src/index.js';
import { CHECK_TABLE } from '../../src/check/check-table.js';
import { ManualClock } from '../support/clock.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { CapturingLogger } from '../support/logger.js';
import { EXPRESS, FASTIFY } from '../support/platforms.js';
import { type AppParts, createApp } from '../support/start.js';

const identify = (): undefined => undefined;

/** A deployment without a fault. */
const SAFE: AgentSecurityOptions = {
  hosts: ['api.example.com'],
  trustProxy: 'loopback',
  auth: { identify },
  webSockets: { requireTls: true },
};
const ENV = { NODE_ENV: 'production' };

@Controller('tools')
class ToolController {
  @AgentTool('delete_user', { limit: '5/hour', impact: 'high' })
  @Post('delete')
  remove(): void {}
}

@Controller('tools')
class UnlimitedController {
  @AgentTool('list_users', { impact: 'low' })
  @Post('list')
  list(): void {}
}

@Controller('tools')
class NoImpactController {
  @AgentTool('refund', { limit: '5/hour' })
  @Post('refund')
  refund(): void {}
}

@WebSocketGateway()
class Gateway {}

interface Row extends Omit<CheckAppOptions, 'deploy'> {
  readonly options?: AgentSecurityOptions;
  readonly parts?: AppParts;
  readonly userId?: number;
  readonly also?: readonly string[];
}

let scratch = '';
const file = (name: string, content: string, mode = 0o600): string => {
  const path = join(scratch, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
};

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'check-'));
  mkdirSync(join(scratch, 'public', 'assets'), { recursive: true });
  file('public/assets/main.js.map', '{}');
  file('package.json', JSON.stringify({ dependencies: { '@rekog/mcp-nest': '^2' } }));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function check(row: Row, deploy: boolean): Promise<CheckReport> {
  const { options = {}, parts = {}, userId = 1000, also: _, ...rest } = row;
  jest.spyOn(process, 'getuid').mockReturnValue(userId);
  const platform = deploy ? FASTIFY : EXPRESS;
  const given = deploy ? { ...SAFE, ...options } : options;
  const app = await createApp(
    platform,
    { ...parts, options: given },
    new CapturingLogger(),
    new ManualClock(),
  );
  try {
    await parts.configure?.(app);
    await app.init();
    return await AgentSecurityModule.check(app, { deploy, env: ENV, ...rest });
  } finally {
    await app.close();
  }
}

const idsOf = ({ findings }: CheckReport): string[] => findings.map(({ id }) => id);

const tools = { controllers: [ToolController] };
const named = (name: string) =>
  Object.defineProperty((_request: unknown, _response: unknown, next: () => void) => next(), 'name', {
    value: name,
  });
const use =
  (middleware: unknown) =>
  (app: INestApplication): void =>
    void app.use(middleware);

const OPTION_ROWS: readonly (readonly [id: string, title: string, row: Row])[] = [
  ['ASEC-C001', 'any host', { options: { hosts: { insecureAnyHost: true } } }],
  ['ASEC-C001', 'no check of hosts', { options: { hosts: false } }],
  ['ASEC-C002', 'any origin', { options: { cors: { origins: '*' } } }],
  ['ASEC-C003', 'pages of local files', { options: { cors: { insecureFileOrigin: true } } }],
  ['ASEC-C004', 'frames of every site', { options: { headers: { framing: false } } }],
  ['ASEC-C005', 'no limits', { options: { rateLimit: false } }],
  ['ASEC-C006', 'shadow mode', { options: { rateLimit: { shadow: true } } }],
  ['ASEC-C007', 'no flood limit', { options: { rateLimit: { flood: false } } }],
  [
    'ASEC-C009',
    'an ephemeral signing key',
    {
      options: {
        auth: {
          apiKeys: { store: new TestKeys().store, secret: SECRET },
          tokenEndpoint: { issuer: 'https://api.example.com', insecureEphemeralKey: true },
        },
      },
    },
  ],
  ['ASEC-C010', 'unlimited guesses', { options: { auth: { identify, failedAttempts: false } } }],
  ['ASEC-C011', 'no check of URLs', { options: { url: false } }],
  ['ASEC-C012', 'ambiguous paths', { options: { url: { insecureAllow: ['encoded-slash'] } } }],
  ['ASEC-C013', 'no check of bodies', { options: { body: false } }],
  ['ASEC-C014', 'no check of origins', { options: { cors: false } }],
  ['ASEC-C015', 'no content security policy', { options: { headers: { contentSecurityPolicy: false } } }],
  ['ASEC-C016', 'types that browsers guess', { options: { headers: { xContentTypeOptions: false } } }],
  ['ASEC-C017', 'responses that caches store', { options: { noStore: false } }],
  ['ASEC-C018', "errors in Nest's format", { options: { errors: false } }],
  ['ASEC-C019', 'no time limits', { options: { timeout: false } }],
  ['ASEC-C020', 'a store that fails open', { options: { rateLimit: { onStoreError: 'allow' } } }],
  ['ASEC-C021', 'no limit per client', { options: { rateLimit: { limits: false } } }],
  ['ASEC-C022', 'one quota for all clients', { options: { rateLimit: { key: 'global' } } }],
  ['ASEC-C023', 'keys that a body repeats', { options: { body: { duplicateKeys: 'allow' } } }],
  ['ASEC-C024', 'huge bodies', { options: { body: { maxBytes: '1gb' } } }],
  [
    'ASEC-C025',
    'cookies for every subdomain',
    { options: { cors: { origins: ['https://*.example.com'], credentials: true } } },
  ],
  [
    'ASEC-C006',
    'a single limit in shadow mode',
    { options: { rateLimit: { limits: [{ limit: '10/second', shadow: true }, '100/minute'] } } },
  ],
  ['ASEC-C024', 'huge messages of MCP', { options: { mcp: { maxBytes: '1gb' } } }],
  ...(
    [
      ['inline scripts', { contentSecurityPolicy: { scriptSrc: "'unsafe-inline'" } }],
      ['scripts of every origin', { contentSecurityPolicy: { defaultSrc: '*' } }],
      [
        'scripts of every origin in pages',
        { htmlContentSecurityPolicy: { scriptSrc: ["'self'", 'https:'] } },
      ],
      ['a policy without scripts', { contentSecurityPolicy: { defaultSrc: false } }],
      ['a policy that is only reported', { contentSecurityPolicy: { directives: {}, reportOnly: true } }],
      ['no policy for pages', { htmlContentSecurityPolicy: false }],
    ] as const
  ).map(([title, headers]): [string, string, Row] => ['ASEC-C027', title, { options: { headers } }]),
  ['ASEC-C028', 'limits that limit nobody', { options: { rateLimit: { limits: '1000000/second' } } }],
  ['ASEC-C028', 'a flood limit that limits nobody', { options: { rateLimit: { flood: '1000000/second' } } }],
  [
    'ASEC-C028',
    'attempts that are hardly limited',
    { options: { auth: { identify, failedAttempts: '1000/second' } } },
  ],
  ['ASEC-C029', 'URLs for other origins', { options: { headers: { referrerPolicy: 'unsafe-url' } } }],
  ['ASEC-C026', 'a log without rejections', { options: { logging: false } }],
  ['ASEC-C030', 'tools without auth', { parts: tools }],
  [
    'ASEC-C031',
    'tools without their policies',
    { options: { auth: { identify }, tools: false }, parts: tools },
  ],
  ['ASEC-C032', 'every tool for every agent', { options: { tools: { allow: { '*': ['*'] } } } }],
  ['ASEC-C033', 'tools without records', { options: { auth: { identify }, audit: false }, parts: tools }],
  ['ASEC-C033', 'an MCP endpoint without records', { options: { mcp: {}, audit: false } }],
  ['ASEC-C034', 'public MCP tools', { options: { auth: { identify }, mcp: { publicTools: ['*'] } } }],
  [
    'ASEC-C037',
    'a public tool of high impact',
    { options: { auth: { identify }, mcp: { publicTools: ['delete_*'] } }, parts: tools },
  ],
  ['ASEC-C036', 'credentials in URLs', { options: { auth: { identify, urlParameters: [] } } }],
  ['ASEC-C040', 'helmet', { parts: { configure: use(named('helmetMiddleware')) } }],
  ['ASEC-C041', 'cors', { parts: { configure: app => app.enableCors() } }],
  [
    'ASEC-C042',
    'ThrottlerGuard',
    {
      parts: {
        imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: 10 }])],
        providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
      },
    },
  ],
  [
    'ASEC-C043',
    'express-rate-limit',
    {
      parts: {
        configure: use(Object.assign(named(''), { resetKey: () => undefined, getKey: () => undefined })),
      },
    },
  ],
  ['ASEC-C045', 'a silence without a finding', { options: { check: { silence: { 'ASEC-C001': 'Old.' } } } }],
];

const DEPLOY_ROWS: readonly (readonly [id: string, title: string, row: Row | (() => Row)])[] = [
  ['ASEC-C050', 'DEBUG', { env: { ...ENV, DEBUG: 'express:*' } }],
  ['ASEC-C051', 'NODE_ENV of development', { env: { NODE_ENV: 'development' } }],
  ['ASEC-C051', 'no NODE_ENV', { env: {} }],
  ['ASEC-C052', 'an inspector', { env: { ...ENV, NODE_OPTIONS: '--inspect=0.0.0.0:9229' } }],
  ['ASEC-C053', 'no verification of certificates', { env: { ...ENV, NODE_TLS_REJECT_UNAUTHORIZED: '0' } }],
  [
    'ASEC-C054',
    'source maps',
    () => ({
      parts: { imports: [ServeStaticModule.forRoot({ rootPath: join(scratch, 'public') })] },
    }),
  ],
  ['ASEC-C055', 'loopback hosts', { options: { hosts: ['localhost', '127.0.0.1:3000', '[::1]'] } }],
  ['ASEC-C056', 'no proxy', { options: { trustProxy: false } }],
  [
    'ASEC-C056',
    'no proxy on a platform that has one',
    { options: { trustProxy: false }, env: { ...ENV, KUBERNETES_SERVICE_HOST: '10.0.0.1' } },
  ],
  ['ASEC-C057', 'no HSTS', { options: { headers: { strictTransportSecurity: false } } }],
  ['ASEC-C057', 'a short HSTS', { options: { headers: { strictTransportSecurity: { maxAge: 3600 } } } }],
  [
    'ASEC-C058',
    'an audit file that all can read',
    () => ({ options: { audit: { file: file('audit.log', '', 0o644), key: 'k'.repeat(32) } } }),
  ],
  [
    'ASEC-C058',
    'a key file that all can read',
    () => ({
      options: {
        auth: {
          apiKeys: {
            store: new FileKeyStore(file('keys.json', '{"agents":{},"keys":[]}', 0o604)),
            secret: SECRET,
          },
        },
      },
    }),
  ],
  ['ASEC-C059', 'root in a container', { userId: 0, env: { ...ENV, KUBERNETES_SERVICE_HOST: '10.0.0.1' } }],
  ['ASEC-C060', 'a critical vulnerability', { vulnerable: [{ name: 'left-pad', severity: 'critical' }] }],
  ['ASEC-C061', 'a moderate vulnerability', { vulnerable: [{ name: 'left-pad', severity: 'moderate' }] }],
  ['ASEC-C062', 'a tool without a limit', { parts: { controllers: [UnlimitedController] } }],
  [
    'ASEC-C062',
    'a tool with a limit that limits nobody',
    { options: { tools: { policies: { run: { impact: 'high', limit: '1000000/second' } } } } },
  ],
  [
    'ASEC-C062',
    'a policy without a limit',
    { options: { tools: { policies: { run: { impact: 'high' } } } } },
  ],
  ['ASEC-C063', 'a tool without an impact', { parts: { controllers: [NoImpactController] } }],
  ['ASEC-C064', 'MCP for every network', { options: { mcp: {}, auth: false }, also: ['ASEC-C073'] }],
  [
    'ASEC-C065',
    'MCP behind an unnamed proxy',
    { options: { mcp: { network: 'private' }, trustProxy: false }, also: ['ASEC-C056'] },
  ],
  ['ASEC-C066', 'an audit chain without a key', () => ({ options: { audit: { file: file('b.log', '') } } })],
  ['ASEC-C067', 'an origin without TLS', { options: { cors: { origins: ['http://app.example.com'] } } }],
  [
    'ASEC-C068',
    'an origin of the local machine',
    { options: { cors: { origins: ['http://localhost:5173'] } } },
  ],
  [
    'ASEC-C067',
    'an origin of MCP without TLS',
    { options: { mcp: { network: 'private', origins: ['http://app.example.com'] } } },
  ],
  [
    'ASEC-C068',
    'an origin of MCP on the local machine',
    { options: { mcp: { network: 'private', origins: ['localhost'] } } },
  ],
  ['ASEC-C074', 'arguments in traces', { options: { telemetry: { arguments: true } } }],
  [
    'ASEC-C070',
    'a loopback issuer',
    {
      options: {
        auth: {
          apiKeys: { store: new TestKeys().store, secret: SECRET },
          tokenEndpoint: { issuer: 'http://127.0.0.1:3000', insecureEphemeralKey: true },
        },
      },
      also: ['ASEC-C009'],
    },
  ],
  ['ASEC-C071', 'WebSockets without TLS', { options: { webSockets: {} }, parts: { providers: [Gateway] } }],
  ['ASEC-C072', 'proxies by number', { options: { trustProxy: 1 } }],
  ['ASEC-C073', 'no authentication', { options: { auth: false } }],
];

describe('check', () => {
  it('finds nothing in an app with the defaults', async () => {
    expect(idsOf(await check({}, false))).toEqual([]);
  });

  it.each(OPTION_ROWS)('finds %s: %s', async (id, _title, row) => {
    expect(idsOf(await check(row, false))).toEqual([id]);
  });

  it.each<[AgentSecurityOptions]>([
    [{ headers: { contentSecurityPolicy: { scriptSrc: ["'self'", "'nonce-a'", "'unsafe-inline'"] } } }],
    [{ headers: { htmlContentSecurityPolicy: { scriptSrc: ["'self'", 'https://cdn.example.com'] } } }],
    [{ headers: { referrerPolicy: ['unsafe-url', 'no-referrer'] } }],
    [{ rateLimit: { limits: ['100000/second', '1000000/day'] } }],
    [{ rateLimit: { limits: [{ limit: () => '5/second' }, { limit: 10, algorithm: 'concurrency' }] } }],
  ])('finds nothing in %j', async options => {
    expect(idsOf(await check({ options }, false))).toEqual([]);
  });

  it('finds an MCP server that the app has installed', async () => {
    expect(idsOf(await check({ folder: scratch }, false))).toEqual(['ASEC-C035']);
    expect(idsOf(await check({ folder: scratch, options: { mcp: false } }, false))).toEqual([]);
  });

  it('finds nothing where the guards of @nestjs/throttler count as the module does', async () => {
    const storage = new QuotaThrottlerStorage();
    const imports = [ThrottlerModule.forRoot({ throttlers: [{ ttl: 60_000, limit: 10 }], storage })];
    const providers = [
      { provide: APP_GUARD, useClass: ThrottlerGuard },
      { provide: 'storage', useValue: storage },
    ];
    expect(idsOf(await check({ parts: { imports, providers } }, false))).toEqual([]);
  });
});

describe('check --deploy', () => {
  it('finds nothing in a safe deployment', async () => {
    expect(idsOf(await check({ parts: { ...tools, providers: [Gateway] } }, true))).toEqual([]);
  });

  it.each(DEPLOY_ROWS)('finds %s: %s', async (id, _title, given) => {
    const row = typeof given === 'function' ? given() : given;
    expect(idsOf(await check(row, true)).toSorted()).toEqual([id, ...(row.also ?? [])].toSorted());
  });

  it('is needed for what matters in a deployment only', async () => {
    const report = await check({ options: { ...SAFE, hosts: ['localhost'] }, env: { DEBUG: '*' } }, false);
    expect(idsOf(report)).toEqual([]);
    expect(DEPLOY_ROWS.map(([id]) => id).filter(id => report.rules.some(rule => rule.id === id))).toEqual([]);
  });
});

test('at least 40 broken configurations are planted, and every check is among them or tested as a function', () => {
  const rows = [...OPTION_ROWS, ...DEPLOY_ROWS];
  expect(rows.length).toBeGreaterThanOrEqual(40);
  const planted = new Set(rows.map(([id]) => id));
  const elsewhere = ['ASEC-C008', 'ASEC-C035', 'ASEC-C044', 'ASEC-C069'];
  expect(CHECK_TABLE.map(({ id }) => id).filter(id => !planted.has(id))).toEqual(elsewhere);
});
