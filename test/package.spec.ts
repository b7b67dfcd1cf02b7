/* The package as it is published: packed, installed into an empty project, imported as ESM by plain Node, and asked over HTTP. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { request } from './support/http.js';

const ROOT = resolve(__dirname, '..');
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

interface PackageJson {
  name: string;
  version: string;
  dependencies: Record<string, string>;
}
const readJson = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;
const own = readJson<PackageJson>(join(ROOT, 'package.json'));

let scratch = '';
let consumer = '';
let files: string[] = [];
let sources: string[] = [];
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
  execFileSync(process.execPath, [TSC, '-b', join(ROOT, 'tsconfig.build.json')]);
  sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.ts'),
  );
  const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', scratch], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [tarball] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
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
  // With the versions of this repository's lock file, npm finds everything in its cache.
  const lock = readJson<{ packages: Record<string, unknown> }>(join(ROOT, 'package-lock.json'));
  const { '': _root, ...packages } = lock.packages;
  writeFileSync(join(consumer, 'package-lock.json'), JSON.stringify({ ...lock, name: 'consumer', packages }));
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
  test('holds the build, the docs and nothing else', () => {
    const expected =
      /^(?:dist\/.+\.(?:js|js\.map|d\.ts)|docs\/(?:[\w-]+\/)?[\w-]+\.(?:md|svg)|README\.md|CHANGELOG\.md|SECURITY\.md|LICENSE|package\.json)$/;
    expect(files.filter(file => !expected.test(file))).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'docs/options.md', 'README.md', 'LICENSE']),
    );
  });

  test('has the declarations and the map of every module, and every module of src', () => {
    const expected = sources.flatMap(name =>
      ['.js', '.js.map', '.d.ts'].map(end => `dist/${name.replace(/\.ts$/, end)}`),
    );
    expect(files.filter(file => file.startsWith('dist/')).toSorted()).toEqual(expected.toSorted());
  });

  test('names no path of the machine that built it', () => {
    const folder = join(consumer, 'node_modules', own.name);
    const built = files.filter(file => /\.(?:js|map|ts|json)$/.test(file));
    expect(built.filter(file => readFileSync(join(folder, file), 'utf8').includes(ROOT))).toEqual([]);
    const maps = built.filter(file => file.endsWith('.map'));
    expect(maps).not.toEqual([]);
    for (const file of maps) {
      const map = readJson<{ sources: string[]; sourcesContent?: string[] }>(join(folder, file));
      expect(map.sources.filter(source => !/^(?:\.\.\/)+src\/[\w./-]+\.ts$/.test(source))).toEqual([]);
      // src is not published, so a map without the text would point to nothing.
      expect(map.sourcesContent).toHaveLength(map.sources.length);
    }
  });

  test('runs nothing when it is installed', () => {
    const { scripts = {} } = readJson<{ scripts?: Record<string, string> }>(join(ROOT, 'package.json'));
    expect(Object.keys(scripts).filter(name => /^(?:pre|post)?(?:install|prepare)$/.test(name))).toEqual([]);
  });
});

test('plain Node imports exactly the exports of src', () => {
  const names = execFileSync(
    process.execPath,
    ['--input-type=module', '-e', `console.log(JSON.stringify(Object.keys(await import('${own.name}'))))`],
    { cwd: consumer, encoding: 'utf8' },
  );
  expect((JSON.parse(names) as string[]).toSorted()).toEqual(
    Object.keys(jest.requireActual('../src/index.js')).toSorted(),
  );
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
