/* The README's first module, in the app that `nest new` generates: installed, built and called as its reader does.
 * Here the app has this repository's packages. With NEST_NEW=11 or NEST_NEW=12 the Nest CLI of that major generates the app, which installs
 * its own packages and the tarball. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { freePort } from './support/free-port.js';
import { type Answer, request } from './support/http.js';
import { GENERATED_COMPILER_OPTIONS, generatedSources, type Major } from './support/nest-new.js';

const ROOT = resolve(__dirname, '..');
const MAJOR = (process.env['NEST_NEW'] === '11' ? 11 : 12) satisfies Major;
const isGenerated = process.env['NEST_NEW'] !== undefined;

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const [, snippet] = /^```ts title=app\.module\.ts\n([\s\S]*?)^```$/m.exec(readme)!;

let scratch = '';
let app = '';
let child: ChildProcess | undefined;

const run = (command: string, args: readonly string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(app, path)), { recursive: true });
  writeFileSync(join(app, path), text);
};

/** The app with the packages of this repository, and this package as it was built last. */
function link(): void {
  for (const [path, text] of Object.entries(generatedSources(MAJOR))) write(path, text);
  write('package.json', JSON.stringify({ name: 'app', private: true, type: 'module' }));
  const types = { types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] };
  const compilerOptions = { ...GENERATED_COMPILER_OPTIONS, ...types, rootDir: './src', outDir: './dist' };
  write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['src'] }));
  mkdirSync(join(app, 'node_modules'));
  const packages = ['@nestjs', 'reflect-metadata', 'rxjs'].map(name => [
    name,
    join(ROOT, 'node_modules', name),
  ]);
  for (const [name, path] of [...packages, ['nestjs-agent-security', ROOT]])
    symlinkSync(path!, join(app, 'node_modules', name!), 'junction');
}

function generate(): void {
  const create = ['new', 'app', '--skip-git', '--skip-install', '--package-manager', 'npm'];
  run('npx', ['--yes', `@nestjs/cli@${MAJOR}`, ...create], scratch);
  run('npm', ['i', '--no-audit', '--no-fund'], app);
  const packed = run('npm', ['pack', '--json', '--pack-destination', scratch], ROOT);
  const [{ filename }] = JSON.parse(packed.slice(packed.indexOf('[\n'))) as [{ filename: string }];
  run('npm', ['i', '--no-audit', '--no-fund', join(scratch, filename)], app);
}

const build = (): string =>
  isGenerated
    ? run('npm', ['run', 'build'], app)
    : run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.', '--noCheck'], app);

async function startApp(): Promise<number> {
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), NO_COLOR: '1' };
  const started = spawn(process.execPath, ['dist/main'], {
    cwd: app,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = started;
  await new Promise<void>((settle, fail) => {
    let text = '';
    const read = (chunk: Buffer): void => {
      text += chunk.toString();
      if (text.includes('successfully started')) settle();
    };
    started.stdout.on('data', read);
    started.stderr.on('data', read);
    started.once('exit', code => fail(new Error(`The app ended with ${code}: ${text}`)));
  });
  // Nest writes the line before the server listens.
  while (!(await isListening(port))) await new Promise(resolve => setTimeout(resolve, 20));
  return port;
}

const isListening = (port: number): Promise<boolean> =>
  request(port, { path: '/' }).then(
    () => true,
    () => false,
  );

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'nest-new-'));
  app = join(scratch, 'app');
  mkdirSync(app);
  if (isGenerated) generate();
  else link();
}, 600_000);

afterEach(() => void child?.kill('SIGKILL'));

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe(`an app of nest new, Nest ${MAJOR}`, () => {
  test('is the one that this suite and the README expect', () => {
    const sources = generatedSources(MAJOR);
    const written = Object.keys(sources).map(path => [path, readFileSync(join(app, path), 'utf8')]);
    expect(Object.fromEntries(written)).toEqual(sources);
  });

  test('differs from the snippet in one entry and its import', () => {
    const before = generatedSources(12)['src/app.module.ts'].split('\n');
    const after = snippet!.split('\n');
    expect(after.filter(line => !before.includes(line))).toEqual([
      "import { AgentSecurityModule } from 'nestjs-agent-security';",
      '  imports: [AgentSecurityModule.forRoot()],',
    ]);
    expect(before.filter(line => !after.includes(line))).toEqual(['  imports: [],']);
  });

  test('is protected by the snippet, as it is printed', async () => {
    write('src/app.module.ts', snippet!);
    build();
    const port = await startApp();
    const send = (headers = {}): Promise<Answer> => request(port, { path: '/', headers });
    const answer = await send();
    expect([answer.status, answer.body]).toEqual([200, 'Hello World!']);
    expect(answer.header('X-Content-Type-Options')).toBe('nosniff');
    expect(answer.header('RateLimit')).toMatch(/^"10-per-second";r=\d/);
    const foreign = await send({ Host: 'evil.example' });
    expect([foreign.status, foreign.json()]).toMatchObject([421, { code: 'host_not_allowed' }]);
  }, 120_000);
});
