/* The package as it is published: packed, installed into an empty project, imported as ESM by plain Node, and called over HTTP. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix, resolve } from 'node:path';
import { request } from './support/http.js';

const ROOT = resolve(__dirname, '..');
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

interface PackageJson {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
}
const readJson = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;
const own = readJson<PackageJson>(join(ROOT, 'package.json'));

/** What the package holds beside the build. */
const TEXTS = ['README.md', 'SKILL.md', 'llms.txt', 'LICENSE'];

let scratch = '';
let consumer = '';
let files: string[] = [];
let packedBytes = 0;
const running: ChildProcess[] = [];

const CONTROLLER = `
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AgentSecurityModule, RateLimit, RequestId } from 'nestjs-agent-security';
`;

/** Plain JavaScript: decorators are functions, so that no compiler stands between the package and Node. */
const APP = `${CONTROLLER}
class HelloController {
  hello(id) {
    return { id };
  }
}
const hello = Object.getOwnPropertyDescriptor(HelloController.prototype, 'hello');
Get()(HelloController.prototype, 'hello', hello);
RateLimit('2/minute')(HelloController.prototype, 'hello', hello);
RequestId()(HelloController.prototype, 'hello', 0);
Controller()(HelloController);

class AppModule {}
Module({ imports: [AgentSecurityModule.forRoot()], controllers: [HelloController] })(AppModule);

const platform = process.argv[2];
const { [platform + 'Adapter']: Adapter } = await import('@nestjs/platform-' + platform.toLowerCase());
const app = await NestFactory.create(AppModule, new Adapter(), { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
console.log('port ' + app.getHttpServer().address().port);
`;

/** The largest tarball, in bytes. Most of it is declarations with their docstrings, and code without comments. */
const MAX_PACKED_BYTES = 360_000;

/** Of the package and everything that is installed with it, in bytes. Nest is not counted. */
const MAX_INSTALLED_BYTES = 2_200_000;

/** Every kind of name that a user writes, as NodeNext resolves it. */
const TYPES = `${CONTROLLER}
import {
  AgentSecurityConfigError,
  type AgentSecurityOptions,
  type Clock,
  CLOCK,
  HostGuard,
  NoStore,
  ProblemDetailsFilter,
  type RateLimitOptions,
  RateLimitGuard,
  RateLimiter,
  SkipRateLimit,
} from 'nestjs-agent-security';

const options: AgentSecurityOptions = { hosts: ['api.example.com'], rateLimit: { limits: '5/minute' }, trustProxy: 1 };
export const limits: RateLimitOptions = { limits: ['5/minute'], flood: false };
export const clock: Clock = { monotonicMs: () => 0, epochMs: () => 0 };
// @ts-expect-error no such option
export const wrong: AgentSecurityOptions = { rateLimits: '5/minute' };

@Controller()
export class HelloController {
  constructor(private readonly limiter: RateLimiter) {}

  @Get()
  @NoStore(false)
  @RateLimit('2/minute', { limit: '5/hour', name: 'hourly', algorithm: 'token-bucket' })
  async hello(@RequestId() id: string): Promise<string> {
    const { granted } = await this.limiter.consume('5/minute', id);
    return granted ? id : new AgentSecurityConfigError('ASEC_OPTION_TYPE', 'a', 'b', 'c').code;
  }

  @Get('free')
  @SkipRateLimit()
  free(): void {}
}

@Module({
  imports: [AgentSecurityModule.forRoot(options, { providers: [{ provide: CLOCK, useValue: clock }] })],
  controllers: [HelloController],
})
export class AppModule {}
export const start = () => NestFactory.create(AppModule);
export const classes = [HostGuard, RateLimitGuard, ProblemDetailsFilter];
`;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'package-'));
  // Packed from a build of its own: dist of this repository is in use by other suites.
  const packed = execFileSync(process.execPath, [join(ROOT, 'scripts/pack.mjs'), scratch], {
    encoding: 'utf8',
  });
  const [tarball] = JSON.parse(packed) as [{ filename: string; size: number; files: { path: string }[] }];
  packedBytes = tarball.size;
  files = tarball.files.map(({ path }) => path);

  consumer = join(scratch, 'consumer');
  mkdirSync(consumer);
  const installed = (name: string): string =>
    readJson<PackageJson>(join(ROOT, 'node_modules', name, 'package.json')).version;
  const nest = ['common', 'core', 'platform-express', 'platform-fastify'].map(name => `@nestjs/${name}`);
  const names = [...nest, 'reflect-metadata', 'rxjs', '@types/node'];
  const manifest = {
    name: 'consumer',
    version: '1.0.0',
    private: true,
    type: 'module',
    dependencies: {
      ...Object.fromEntries(names.map(name => [name, installed(name)])),
      [own.name]: `file:../${tarball.filename}`,
    },
  };
  writeFileSync(join(consumer, 'package.json'), JSON.stringify(manifest));
  // With the versions of this repository's lock file, npm finds everything in its cache. They fit one version of Nest.
  const lock = readJson<{ packages: Record<string, PackageJson> }>(join(ROOT, 'package-lock.json'));
  const { '': _root, ...packages } = lock.packages;
  if (packages['node_modules/@nestjs/core']?.version === installed('@nestjs/core')) {
    const copy = JSON.stringify({ ...lock, name: 'consumer', packages });
    writeFileSync(join(consumer, 'package-lock.json'), copy);
  }
  cpSync(join(ROOT, '.npmrc'), join(consumer, '.npmrc'));
  execFileSync('npm', ['i', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: consumer,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  writeFileSync(join(consumer, 'app.js'), APP);
}, 300_000);

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function startApp(platform: string): Promise<number> {
  const child = spawn(process.execPath, ['app.js', platform], {
    cwd: consumer,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  return new Promise((settle, fail) => {
    let text = '';
    const read = (chunk: Buffer): void => {
      text += chunk.toString();
      const port = /port (\d+)/.exec(text);
      if (port) settle(Number(port[1]));
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', code => fail(new Error(`The app ended with ${code}: ${text}`)));
  });
}

describe('the tarball', () => {
  const read = (file: string): string => readFileSync(join(consumer, 'node_modules', own.name, file), 'utf8');

  test('holds the build and nothing else', () => {
    const expected = /^(?:dist\/.+\.(?:c?js|d\.c?ts)|dist\/schematics\/[\w.-]+\.json)$/;
    const others = files.filter(file => !expected.test(file));
    expect(others.toSorted()).toEqual([...TEXTS, 'package.json'].toSorted());
  });

  test(`has at most ${MAX_PACKED_BYTES} bytes`, () => {
    expect(packedBytes).toBeGreaterThan(0);
    expect(packedBytes).toBeLessThanOrEqual(MAX_PACKED_BYTES);
  });

  test('has a module for each entry point, one for what they share, those that are loaded lazily, and no comments', () => {
    const modules = files.filter(file => file.endsWith('.js'));
    const chunks = [
      'check-command',
      'dashboard-page',
      'index',
      'inspect-app',
      'mcp-stage',
      'open-dashboard',
      'open-telemetry',
      'public-suffix-list',
      'redis',
      'run-checks',
      'scan-command',
      'shared',
      'token-services',
      'usage',
    ].map(name => `dist/chunks/${name}.js`);
    const entries = [
      'dist/cli/main.js',
      'dist/index.js',
      'dist/redis/index.js',
      'dist/schematics/nest-add.js',
    ];
    expect(modules.toSorted()).toEqual([...chunks, ...entries]);
    expect(modules.filter(file => /^\s*(?:\/\*|\/\/)/m.test(read(file)))).toEqual([]);
  });

  test('loads one chunk beside each entry point, and no Nest for the commands', () => {
    const imports = (file: string): string[] =>
      [...read(file).matchAll(/(?:\bfrom|^import)\s*"([^"]+)"/gm)].map(([, name]) => name!);
    const isLocal = (name: string): boolean => name.startsWith('.');
    // What the checks share with the main entry point has no name in it.
    expect(imports('dist/index.js').filter(isLocal)).toEqual(['./chunks/index.js', './chunks/shared.js']);
    expect(imports('dist/chunks/index.js').filter(isLocal)).toEqual(['./shared.js']);
    expect(imports('dist/cli/main.js').filter(isLocal)).toEqual(['../chunks/shared.js']);
    expect(imports('dist/chunks/redis.js').filter(isLocal)).toEqual(['./shared.js']);
    const packages = ['dist/cli/main.js', 'dist/chunks/shared.js', 'dist/chunks/redis.js'].flatMap(imports);
    expect(packages.filter(name => !isLocal(name) && !name.startsWith('node:'))).toEqual([]);
  });

  test('has the declarations of each entry point with their docstrings, and what CommonJS reads of them', () => {
    const declarations = files.filter(file => /\.d\.c?ts$/.test(file));
    const entries = ['dist/index.d', 'dist/redis/index.d'].flatMap(name => [`${name}.cts`, `${name}.ts`]);
    expect(declarations.toSorted()).toEqual(['dist/chunks/shared.d.ts', ...entries]);
    expect(read('dist/index.d.ts')).toMatch(/\/\*\*\s+\* [A-Z](?:(?!\*\/)[^])*\*\/\s+hosts\?:/);
    expect(read('dist/index.d.cts')).toMatch(/\*\/\s+export declare const RateLimit: typeof esm\.RateLimit;/);
  });

  test('has the schematic that its manifest and the collection name', async () => {
    const { schematics } = JSON.parse(read('package.json')) as { schematics: string };
    const folder = posix.dirname(schematics);
    const collection = JSON.parse(read(schematics)) as {
      schematics: Record<string, { factory: string; schema: string }>;
    };
    const { factory, schema } = collection.schematics['nest-add']!;
    expect(JSON.parse(read(posix.join(folder, schema)))).toHaveProperty('properties.replace.default', false);
    const [file, name] = factory.split('#');
    // The devkit requires it, from CommonJS.
    const script = `console.log(typeof require('./node_modules/${own.name}/${posix.join(folder, file!)}.js').${name})`;
    const output = execFileSync(process.execPath, ['-e', script], { cwd: consumer, encoding: 'utf8' });
    expect(output).toBe('function\n');
  });

  test('names no path of the machine that built it', () => {
    const built = files.filter(file => /\.(?:c?js|c?ts|json)$/.test(file));
    const places = [ROOT, scratch];
    expect(built.filter(file => places.some(place => read(file).includes(place)))).toEqual([]);
  });

  test('runs nothing when it is installed', () => {
    const { scripts = {} } = readJson<{ scripts?: Record<string, string> }>(join(ROOT, 'package.json'));
    expect(Object.keys(scripts).filter(name => /^(?:pre|post)?(?:install|prepare)$/.test(name))).toEqual([]);
  });
});

describe('what is installed with it', () => {
  const folderOf = (name: string): string => join(consumer, 'node_modules', name);
  const withDependencies = (name: string): string[] => [
    name,
    ...Object.keys(readJson<PackageJson>(join(folderOf(name), 'package.json')).dependencies ?? {}).flatMap(
      withDependencies,
    ),
  ];

  test('is little', () => {
    const names = [...new Set(withDependencies(own.name))];
    expect(names.toSorted()).toEqual(
      ['@nestjs/throttler', 'forwarded', 'ipaddr.js', 'jose', own.name, 'proxy-addr'].toSorted(),
    );
    const bytes = names
      .flatMap(name =>
        readdirSync(folderOf(name), { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()),
      )
      .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(MAX_INSTALLED_BYTES);
  });

  test('has no optional peer in it, with which the other tests would prove nothing', () => {
    const optional = ['@nestjs/config', '@nestjs/swagger', '@nestjs/websockets', 'ioredis', 'redis'];
    expect(optional.filter(name => existsSync(folderOf(name)))).toEqual([]);
  });
});

/** What a script prints as JSON, in a plain Node process. */
const evaluate = (type: 'module' | 'commonjs', expression: string): unknown => {
  const script = `${type === 'module' ? 'const load = name => import(name)' : 'const load = async name => require(name)'};
    (async () => console.log(JSON.stringify(await (async () => { ${expression} })())))();`;
  const output = execFileSync(process.execPath, [`--input-type=${type}`, '-e', script], {
    cwd: consumer,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output);
};

test.each(['module', 'commonjs'] as const)('plain Node loads exactly the exports of src from a %s', type => {
  const source: Record<string, unknown> = jest.requireActual('../src/index.js');
  const names = evaluate(type, `return Object.keys(await load('${own.name}'))`) as string[];
  expect(names.filter(name => name !== '__esModule').toSorted()).toEqual(Object.keys(source).toSorted());
});

test('classes keep their names, and exist once for all entry points', () => {
  const named = evaluate(
    'module',
    `const all = Object.entries(await load('${own.name}'));
     return all.filter(([name, value]) => /^class /.test(String(value)) && value.name !== name).map(([name]) => name)`,
  );
  expect(named).toEqual([]);
  const shared = evaluate(
    'module',
    `const { AgentSecurityConfigError, KeyBookStore } = await load('${own.name}');
     const { RedisKeyStore, RedisQuotaStore } = await load('${own.name}/redis');
     let error;
     try { new RedisQuotaStore({}) } catch (caught) { error = caught }
     return [error instanceof AgentSecurityConfigError, error.name, RedisKeyStore.prototype instanceof KeyBookStore]`,
  );
  expect(shared).toEqual([true, 'AgentSecurityConfigError', true]);
});

test('the command runs', () => {
  const main = join(consumer, 'node_modules/.bin', own.name);
  expect(() => execFileSync(main, { cwd: consumer, stdio: 'pipe' })).toThrow(/Usage:\n.*keys create/);
});

test('what is not exported cannot be imported', () => {
  const script = `await import('${own.name}/dist/edge/edge.js').then(() => console.log('open'), e => console.log(e.code))`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: consumer,
    encoding: 'utf8',
  });
  expect(output).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n');
});

test.each(['Express', 'Fastify'])('an app on %s starts and is protected', async platform => {
  const port = await startApp(platform);
  const answer = await request(port, { path: '/', headers: { 'X-Request-ID': 'chosen.1' } });
  expect([answer.status, answer.body]).toEqual([200, '{"id":"chosen.1"}']);
  expect(answer.header('X-Content-Type-Options')).toBe('nosniff');
  expect(answer.header('Cache-Control')).toBe('no-store');
  expect(answer.header('RateLimit-Policy')).toBe('"2-per-minute";q=2;w=60');
  expect(answer.repeated).toEqual([]);
  await request(port, { path: '/' });
  const rejected = await request(port, { path: '/' });
  expect([rejected.status, rejected.json().code]).toEqual([429, 'rate_limited']);
  expect((await request(port, { path: '/', headers: { Host: 'evil.example' } })).status).toBe(421);
});

test('the package checks an app, by its command and by its function', () => {
  const text = `
import { Module } from '@nestjs/common';
import { AgentSecurityModule } from '${own.name}';
export class AppModule {}
Module({ imports: [AgentSecurityModule.forRoot({ noStore: false })] })(AppModule);
`;
  writeFileSync(join(consumer, 'app.module.js'), text);
  const call = `
import { NestFactory } from '@nestjs/core';
import { AgentSecurityModule } from '${own.name}';
import { AppModule } from './app.module.js';
const app = await NestFactory.create(AppModule, { logger: false });
const { findings } = await AgentSecurityModule.check(app);
await app.close();
console.log(findings.map(({ id }) => id).join());
`;
  const run = (...args: string[]): string =>
    execFileSync(process.execPath, args, { cwd: consumer, encoding: 'utf8' });
  expect(run('--input-type=module', '-e', call)).toBe('ASEC-C017\n');
  const bin = join('node_modules', own.name, 'dist/cli/main.js');
  expect(run(bin, 'check', '--module', 'app.module.js')).toMatch(/^note ASEC-C017: noStore is off\n/);
});

test('types resolve under NodeNext, and its declarations are sound', () => {
  writeFileSync(join(consumer, 'types.ts'), TYPES);
  const compilerOptions = {
    target: 'ES2023',
    lib: ['ES2023'],
    module: 'nodenext',
    moduleResolution: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['types.ts'] }));
  let output = '';
  try {
    execFileSync(process.execPath, [TSC, '-p', '.'], { cwd: consumer, encoding: 'utf8' });
  } catch (error) {
    output = (error as { stdout: string }).stdout;
  }
  // Complaints about the declarations of others are not ours to answer.
  const ours = output
    .split('\n')
    .filter(line => line.startsWith('types.ts') || line.includes(`node_modules/${own.name}`));
  expect(ours).toEqual([]);
}, 120_000);
