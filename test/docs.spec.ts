/* What docs/ and the README say, tied to the code: every option, variable, decorator and code is documented, and nothing else is. */
import * as nest from '@nestjs/common';
import ts from 'typescript';
import * as index from '../src/index.js';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Controller, HttpStatus } from '@nestjs/common';
import { resolveOptions } from '../src/resolve-options.js';
import type { AgentSecurityConfigError } from '../src/common/config-error.js';
import { CONFIG_ERROR_CODES, type ConfigErrorCode } from '../src/common/config-error-codes.js';
import { resolveCors } from '../src/cors/cors.options.js';
import { codeOfStatus } from '../src/common/status-code.js';
import { resolveHeaders } from '../src/headers/headers.options.js';
import { createApp, start } from './support/start.js';
import { CapturingLogger } from './support/logger.js';
import { ManualClock } from './support/clock.js';
import { EXPRESS } from './support/platforms.js';

const ROOT = resolve(__dirname, '..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
/** Text without line breaks that are there for the width of the page only. */
const flat = (text: string): string => text.replace(/\s+/g, ' ');

const PAGES = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'SKILL.md',
  'llms.txt',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md') && !name.startsWith('.vitepress'))
    .map(name => `docs/${name.replaceAll('\\', '/')}`),
];
const SOURCES = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => ({ name, text: read(`src/${name}`) }));
const OPTIONS = read('docs/reference/options.md');
const ERRORS = read('docs/reference/errors.md');

/** Every match's first group, once. */
const all = (text: string, pattern: RegExp): string[] =>
  [...new Set([...text.matchAll(pattern)].map(([, group]) => group!))].toSorted();

/* ---- options ---- */

/** `hosts`, `hosts.allow`, … as the interfaces in src declare them. */
function optionPaths(): string[] {
  const interfaces = new Map<string, ts.InterfaceDeclaration>();
  for (const { name, text } of SOURCES) {
    ts.createSourceFile(name, text, ts.ScriptTarget.ES2023).forEachChild(node => {
      if (ts.isInterfaceDeclaration(node)) interfaces.set(node.name.text, node);
    });
  }
  const paths: string[] = [];
  for (const member of interfaces.get('AgentSecurityOptions')!.members) {
    if (!ts.isPropertySignature(member)) continue;
    const key = (member.name as ts.Identifier).text;
    paths.push(key);
    const visit = (node: ts.Node): void => {
      if (ts.isTypeReferenceNode(node)) {
        const own = interfaces.get((node.typeName as ts.Identifier).text);
        for (const inner of own?.members ?? []) paths.push(`${key}.${(inner.name as ts.Identifier).text}`);
      }
      node.forEachChild(visit);
    };
    visit(member.type!);
  }
  return paths;
}

const PATHS = optionPaths();

test('the options are found', () => {
  expect(PATHS).toEqual(
    expect.arrayContaining([
      'hosts.allow',
      'cors.maxAge',
      'headers.xPoweredBy',
      'trustProxy',
      'body.maxDepth',
    ]),
  );
});

it.each(PATHS)('docs/reference/options.md has a section on %s', path => {
  expect(OPTIONS).toMatch(new RegExp(`^##+ \`${path.replace('.', '\\.')}\`$`, 'm'));
});

test('docs/reference/options.md has no section on an option that is none', () => {
  expect(all(OPTIONS, /^###? `([a-z]\w*(?:\.\w+)?)`$/gm)).toEqual(PATHS.toSorted());
});

describe('defaults', () => {
  const none = (): undefined => undefined;
  const cors = resolveCors({}, none, 'X-Request-ID');
  const headers = resolveHeaders('headers', {});

  it.each([
    ['allowedHeaders', cors && cors.allowHeaders],
    ['methods', cors && cors.allowMethods],
  ])('cors.%s', (name, value) => {
    const section = OPTIONS.split(`### \`cors.${name}\``)[1]!.split('\n##')[0]!.split('**Default:**')[1]!;
    expect([...section.matchAll(/`([\w-]+)`/g)].map(([, item]) => item).join(', ')).toBe(value);
  });

  test('cors.exposedHeaders', () => {
    const section = OPTIONS.split('### `cors.exposedHeaders`')[1]!
      .split('\n##')[0]!
      .split('**Default:**')[1]!;
    const listed = [...section.matchAll(/`([\w-]+)`/g)].map(([, item]) => item);
    expect(['X-Request-ID', ...listed].join(', ')).toBe(cors && cors.exposeHeaders);
  });

  const rows = headers.kinds.data.filter(
    ([name]) => !['Permissions-Policy', 'Referrer-Policy', 'X-Frame-Options'].includes(name),
  );

  it.each(rows)('%s: %s', (name, value) => {
    const escaped = value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    expect(flat(OPTIONS)).toMatch(
      new RegExp(`\`${name}(?:: [^\`]*)?\`(?:(?! ### ).)*\\*\\*Default:\\*\\* \`${escaped}\``),
    );
  });

  test('Permissions-Policy', () => {
    const section = OPTIONS.split('### `headers.permissionsPolicy`')[1]!
      .split('\n\n###')[0]!
      .split('stay off:')[1]!
      .split('.')[0]!;
    const features = [...section.matchAll(/`([\w-]+)`/g)].map(([, feature]) => `${feature}=()`);
    expect(features.join(', ')).toBe(new Map(headers.kinds.data).get('Permissions-Policy'));
  });

  test('the policy of HTML, by default and with `true`', () => {
    const policyOf = (pairs: readonly (readonly [string, string])[]) =>
      new Map(pairs).get('Content-Security-Policy');
    expect(policyOf(headers.kinds.page)).toBe(policyOf(headers.kinds.data));
    const pages = policyOf(resolveHeaders('headers', { htmlContentSecurityPolicy: true }).kinds.page);
    expect(flat(OPTIONS)).toContain(`\`true\` sends \`${pages}\``);
  });

  test.each([
    ['hosts.allow', "`['localhost', '*.localhost', '127.0.0.1', '[::1]']`"],
    ['rateLimit.limits', "`['10/second', '100/minute']`"],
    ['rateLimit.flood', "`'100/second'`"],
    ['rateLimit.maxClients', '`250000`'],
    ['body.maxBytes', "`'10mb'`"],
    ['body.maxDepth', '`64`'],
    ['audit.maxFileBytes', '`104857600`'],
    ['audit.maxParamsChars', '`16384`'],
    ['audit.maxQueued', '`10000`'],
    ['body.maxKeys', '`10000`'],
    ['body.duplicateKeys', "`'reject'`"],
    ['url.maxLength', '`8192`'],
    ['url.insecureAllow', '`[]`'],
    ['cors.maxAge', '`600`'],
  ])('%s is the one that the code has', (path, printed) => {
    const section = OPTIONS.split(`\`${path}\`\n`)[1]!.split('\n##')[0]!;
    expect(section).toContain(`**Default:** ${printed}`);
    // What the page prints, given as the option, resolves to what nothing given resolves to.
    const [feature, key] = path.split('.') as [string, string];
    const value: unknown = JSON.parse(printed.slice(1, -1).replaceAll("'", '"'));
    const shape = (input: object): string =>
      JSON.stringify(resolveOptions(input, none), (name, item: unknown) =>
        item instanceof Set ? [...item] : name === 'setting' ? undefined : item,
      );
    expect(shape({ [feature]: { [key]: value } })).toBe(shape({}));
  });
});

/* ---- environment, decorators, exports ---- */

const VARIABLES = all(SOURCES.map(({ text }) => text).join('\n'), /(?:\benv\(|Variable\(env, )'([A-Z_]+)'/g);

test('the variables are found', () => expect(VARIABLES).toContain('ALLOWED_HOSTS'));

test('docs/reference/options.md lists every environment variable, and no other', () => {
  expect(all(OPTIONS, /^\| `([A-Z_]+)` +\|/gm)).toEqual(VARIABLES);
});

const DECORATORS = all(read('src/index.ts'), /export \{ ([^}]*) \} from '[^']*\.decorator\.js'/g).flatMap(
  names => names.split(', '),
);

test('the decorators are found', () => expect(DECORATORS).toContain('RateLimit'));

const DECORATOR_PAGE = 'docs/reference/decorators.md';
test('the reference has every decorator', () => {
  const page = read(DECORATOR_PAGE);
  expect(DECORATORS.filter(name => !page.includes(`@${name}(`))).toEqual([]);
});

test.each(PAGES.filter(page => !page.startsWith('docs/reference/')))(
  '%s names no decorator that is none',
  page => {
    const own = new Set(Object.keys(index));
    const foreign = [
      ...Object.keys(nest),
      'HealthCheck',
      'SubscribeMessage',
      'WebSocketGateway',
      'Throttle',
      'SkipThrottle',
    ];
    expect(
      all(read(page), /@([A-Z]\w+)\(/g).filter(name => !own.has(name) && !foreign.includes(name)),
    ).toEqual([]);
  },
);

const CLASSES = [
  'HostGuard',
  'RateLimitGuard',
  'SecurityHeadersInterceptor',
  'RequestIdInterceptor',
  'ProblemDetailsFilter',
  'RateLimiter',
  'AgentToolGuard',
  'ToolPolicy',
  'AuditTrail',
];

it.each([...CLASSES, 'AgentSecurityConfigError', 'CLOCK'])(
  'the guide to configuration names %s, which is exported',
  name => {
    expect(read('docs/guides/configuration.md')).toContain(name);
    expect(Object.keys(index)).toContain(name);
  },
);

/* ---- configuration codes ---- */

test('docs/reference/errors.md has an entry for each configuration code, and no other', () => {
  expect(all(ERRORS, /^### `(ASEC_\w+)`$/gm)).toEqual(CONFIG_ERROR_CODES.toSorted());
});

it.each(CONFIG_ERROR_CODES)('%s is thrown somewhere', code => {
  expect(
    SOURCES.filter(({ name, text }) => !name.endsWith('config-error-codes.ts') && text.includes(`'${code}'`)),
  ).not.toEqual([]);
});

test('no page names a configuration code that is none', () => {
  const named = PAGES.flatMap(page => all(read(page), /(ASEC_[A-Z]+_?[A-Z_]*[A-Z])/g));
  expect(named.filter(code => !CONFIG_ERROR_CODES.includes(code as ConfigErrorCode))).toEqual([]);
});

/** A mistake that the code answers with the message that its entry prints. */
type OfAnApp =
  'ASEC_MODULE_TWICE' | 'ASEC_AUTH_ROUTE' | 'ASEC_TOOL_TWICE' | 'ASEC_AUDIT_FILE' | 'ASEC_MCP_NETWORK';
const MISTAKES: readonly (readonly [Exclude<ConfigErrorCode, OfAnApp>, object])[] = [
  ['ASEC_PROXY_SECRET', { mcp: { proxyProof: { secrets: ['hunter2'] } } }],
  ['ASEC_OPTIONS_MISSING', { auth: undefined }],
  ['ASEC_OPTION_UNKNOWN', { rateLimits: '5/minute' }],
  ['ASEC_OPTION_TYPE', { noStore: 'yes' }],
  ['ASEC_OPTION_RANGE', { body: { maxDepth: 0 } }],
  ['ASEC_PATH_INVALID', { hosts: { exemptPaths: ['/health*'] } }],
  ['ASEC_HOST_SCHEME', { hosts: ['https://api.example.com'] }],
  ['ASEC_HOST_INVALID', { hosts: ['api.example.com/v1'] }],
  ['ASEC_HOST_ANY', { hosts: ['*'] }],
  ['ASEC_HOST_NONE', { hosts: [] }],
  ['ASEC_ORIGIN_INVALID', { cors: { origins: ['https://app.example.com/'] } }],
  ['ASEC_ORIGIN_WILDCARD', { cors: { origins: ['https://*.com'] } }],
  ['ASEC_CORS_ANY_WITH_CREDENTIALS', { cors: { origins: '*', credentials: true } }],
  ['ASEC_CORS_HEADER', { cors: { allowedHeaders: ['Cookie'] } }],
  ['ASEC_CORS_METHOD', { cors: { methods: ['patch'] } }],
  [
    'ASEC_HEADER_VALUE',
    { headers: { strictTransportSecurity: { preload: true, includeSubDomains: false } } },
  ],
  ['ASEC_CSP_DIRECTIVE', { headers: { contentSecurityPolicy: { scriptSrc: 'self' } } }],
  ['ASEC_REQUEST_ID_HEADER', { requestId: { header: 'X Request ID' } }],
  ['ASEC_LIMIT_SYNTAX', { rateLimit: { limits: '5/m' } }],
  ['ASEC_LIMIT_RANGE', { rateLimit: { limits: '0/minute' } }],
  [
    'ASEC_LIMIT_NAME',
    {
      rateLimit: {
        limits: [
          { limit: '5/minute', name: 'a' },
          { limit: '9/hour', name: 'a' },
        ],
      },
    },
  ],
  ['ASEC_TOOL_NAME', { tools: { allow: { reporting: ['delete user'] } } }],
  ['ASEC_TOOL_ALERT', { tools: { policies: { delete_user: { limit: '100/hour', alertAt: [1000] } } } }],
  ['ASEC_TOOL_SCOPE', { tools: { policies: { delete_user: { scopes: ['users delete'] } } } }],
  ['ASEC_AUDIT_KEY', { audit: { key: 'hunter2' } }],
  ['ASEC_TRUST_ALL', { trustProxy: true }],
  ['ASEC_METHOD_NAME', { methods: ['get'] }],
  ['ASEC_TRUST_INVALID', { trustProxy: ['10.0.0.0/40'] }],
  ['ASEC_AUTH_NONE', { auth: true }],
  ['ASEC_AUTH_KEYS', { auth: { apiKeys: {} } }],
  ['ASEC_AUTH_SECRET', { auth: { apiKeys: { file: 'keys.json', secret: 'too short' } } }],
  [
    'ASEC_TOKEN_ALGORITHM',
    {
      auth: {
        tokens: {
          issuer: 'https://login.example.com',
          audience: 'api',
          jwksUri: 'https://login.example.com/',
        },
      },
    },
  ],
  [
    'ASEC_TOKEN_KEY',
    {
      auth: {
        tokens: {
          issuer: 'https://login.example.com',
          audience: 'api',
          algorithms: ['ES256'],
          keys: { kty: 'EC', use: 'enc' },
        },
      },
    },
  ],
  ['ASEC_AUTH_URL', { auth: { identify: () => undefined, resource: 'api.example.com' } }],
];

const printedMessage = (code: string): string =>
  flat(ERRORS.split(`### \`${code}\`\n\n\`\`\`text\n`)[1]!.split('\n```')[0]!);

it.each(MISTAKES)('%s has the message that docs/reference/errors.md prints', (code, options) => {
  let error: AgentSecurityConfigError | undefined;
  try {
    resolveOptions(options, () => undefined);
  } catch (thrown) {
    error = thrown as AgentSecurityConfigError;
  }
  expect([error?.code, error?.message]).toEqual([code, printedMessage(code)]);
});

test('ASEC_MODULE_TWICE has the message that docs/reference/errors.md prints', async () => {
  const twice = createApp(
    EXPRESS,
    { imports: [index.AgentSecurityModule.forRoot({ noStore: false })] },
    new CapturingLogger(),
    new ManualClock(),
  );
  await expect(twice).rejects.toMatchObject({
    code: 'ASEC_MODULE_TWICE',
    message: printedMessage('ASEC_MODULE_TWICE'),
  });
});

test('ASEC_AUTH_ROUTE has the message that docs/reference/errors.md prints', async () => {
  class DataController {
    read(): void {}
  }
  index.Scopes('data:read')(DataController);
  Controller('data')(DataController);
  const open = start(EXPRESS, { controllers: [DataController] });
  await expect(open).rejects.toMatchObject({
    code: 'ASEC_AUTH_ROUTE',
    message: printedMessage('ASEC_AUTH_ROUTE'),
  });
});

class DeletingController {
  delete(): void {}
  remove(): void {}
}
const method = (name: string): [object, string, PropertyDescriptor] => [
  DeletingController.prototype,
  name,
  Object.getOwnPropertyDescriptor(DeletingController.prototype, name)!,
];
index.AgentTool('delete_user')(...method('delete'));
index.AgentTool('delete_user', { impact: 'high' })(...method('remove'));

test.each([
  ['ASEC_TOOL_TWICE', { providers: [DeletingController] }, {}],
  ['ASEC_AUDIT_FILE', {}, { audit: { file: '/nowhere/audit.log' } }],
])('%s has the message that docs/reference/errors.md prints', async (code, parts, options) => {
  const message = printedMessage(code);
  await expect(start(EXPRESS, { ...parts, options })).rejects.toMatchObject({ code, message });
});

test('ASEC_MCP_NETWORK has the message that docs/reference/errors.md prints', async () => {
  const app = await createApp(
    EXPRESS,
    { options: { mcp: { network: 'loopback' } } },
    new CapturingLogger(),
    new ManualClock(),
  );
  const message = printedMessage('ASEC_MCP_NETWORK');
  await expect(app.listen(0, '0.0.0.0')).rejects.toMatchObject({ code: 'ASEC_MCP_NETWORK', message });
  await app.close();
});

test('every configuration code is provoked', () => {
  const ofAnApp: OfAnApp[] = [
    'ASEC_MODULE_TWICE',
    'ASEC_AUTH_ROUTE',
    'ASEC_TOOL_TWICE',
    'ASEC_AUDIT_FILE',
    'ASEC_MCP_NETWORK',
  ];
  expect([...MISTAKES.map(([code]) => code), ...ofAnApp].toSorted()).toEqual(CONFIG_ERROR_CODES.toSorted());
});

/* ---- problem codes ---- */

const PROBLEMS = ERRORS.split('## Problem codes')[1]!.split('## Configuration codes')[0]!;
const FROM_STATUS = Object.values(HttpStatus)
  .filter((status): status is HttpStatus => typeof status === 'number' && status >= 400)
  .map(status => (status === HttpStatus.INTERNAL_SERVER_ERROR ? 'internal_error' : codeOfStatus(status)));
/** Without docstrings, whose examples name tools such as `delete_user`. */
const CODE = SOURCES.map(({ text }) => text.replace(/\/\*\*[^]*?\*\//g, '')).join('\n');
const IN_SOURCE = all(CODE, /(?:code: |\? |: )'([a-z]+(?:_[a-z]+)+)'/g);

test('the problem codes are found', () => {
  expect(IN_SOURCE).toEqual(
    expect.arrayContaining([
      'host_invalid',
      'rate_limited',
      'internal_error',
      'validation_failed',
      'uri_too_long',
    ]),
  );
});

it.each([...new Set([...IN_SOURCE, ...FROM_STATUS])])(
  'docs/reference/errors.md has the problem code %s',
  code => {
    expect(PROBLEMS).toContain(`\`${code}\``);
  },
);

test('docs/reference/errors.md has no problem code that is never answered', () => {
  const members = ['violated', 'retry_after_seconds', 'plan_exceeded', 'required_scopes', 'any_of_scopes'];
  const documented = all(PROBLEMS, /`([a-z]+(?:_[a-z]+)+)`/g).filter(code => !members.includes(code));
  // 407, 411, 416, 417, 423 and 505 are no HttpStatus of their own in every release; they are their status's name.
  const named = [...Array(200).keys()].map(offset => codeOfStatus(400 + offset));
  // A code of the token endpoint stands in a call or a list.
  const isAnswered = (code: string): boolean =>
    [...FROM_STATUS, ...named].includes(code) || CODE.includes(`'${code}'`);
  expect(documented.filter(code => !isAnswered(code))).toEqual([]);
});

it.each(
  [...PROBLEMS.matchAll(/`([a-z_]+)` \((\d{3})\)/g)].map(
    ([, code, status]) => [code!, Number(status)] as const,
  ),
)('%s is the code of status %d', (code, status) => expect(codeOfStatus(status)).toBe(code));

/* ---- rate limits ---- */

describe('docs/rate-limits.md', () => {
  const page = flat(read('docs/rate-limits.md'));

  test('names the number of batches that the sliding window has', () => {
    const batches = /const BATCHES = (\d+);/.exec(read('src/limiter/algorithms/sliding-window.ts'))![1]!;
    expect(page).toContain(`in at most ${batches} batches`);
    expect(page).toContain(`it is exact up to a limit of ${batches}`);
  });

  it.each(
    all(page.split('## Which limits')[0]!, /`(\d[^`]*)`/g).filter(
      text => /[a-z]/.test(text) && !/^\d+-per/.test(text),
    ),
  )('the limit %s is one', limits => {
    expect(() => resolveOptions({ rateLimit: { limits } }, () => undefined)).not.toThrow();
  });

  test('prints the headers that are sent', async () => {
    const app = await start(EXPRESS);
    const answer = await app.send('/');
    for (const name of ['RateLimit-Policy', 'RateLimit'])
      expect(page).toContain(`\`${answer.header(name)}\``);
  });
});

/* ---- links ---- */

const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

const LINKS = PAGES.flatMap(page =>
  [...read(page).matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, target]): [string, string] => [
    page,
    target!,
  ]),
);

it.each(LINKS)('%s links to %s, which is there', (page, target) => {
  const [file, anchor] = target.split('#');
  const path = file === '' ? page : join(dirname(page), file!);
  expect(existsSync(join(ROOT, path))).toBe(true);
  const headings = [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => slug(heading!));
  expect(anchor === undefined || headings.includes(anchor) ? '' : `no heading #${anchor} in ${path}`).toBe(
    '',
  );
});

describe('docs/reference/events.md', () => {
  test('has a section for every event, and for no other', () => {
    const types = all(read('src/events/security-events.ts'), /^ {2}'([a-z.-]+)': \{$/gm);
    expect(types).toContain('limit.threshold');
    expect(all(read('docs/reference/events.md'), /^## `([a-z.-]+)`$/gm)).toEqual(types);
  });
});
