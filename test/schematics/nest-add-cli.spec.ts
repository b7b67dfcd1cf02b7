/* `nest add` as a user runs it, in projects of `nest new`. It needs a folder with @nestjs/cli for each major:
 *   npm i --prefix /tmp/cli-11 @nestjs/cli@11
 *   NEST_CLI=/tmp/cli-11,/tmp/cli-12 npx jest nest-add-cli
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '../support/free-port.js';
import { request } from '../support/http.js';

const ROOT = resolve(__dirname, '../..');
const FOLDERS = (process.env['NEST_CLI'] ?? '').split(',').filter(name => name !== '');
/** The compiler and the types of this repository stand in for those of the project, which are not installed. */
const COMPILER = ['--types', 'node', '--rootDir', 'src', '--ignoreDeprecations', '6.0'];
const run = (cwd: string, program: string, ...args: string[]): string =>
  execFileSync(process.execPath, [program, ...args], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });

(FOLDERS.length > 0 ? describe : describe.skip).each(FOLDERS.length > 0 ? FOLDERS : ['no CLI'])(
  '%s',
  folder => {
    const nest = join(folder, 'node_modules/@nestjs/cli/bin/nest.js');
    let scratch = '';
    let project = '';
    let app: ChildProcess | undefined;
    const textOf = (file: string): string => readFileSync(join(project, file), 'utf8');

    beforeAll(() => {
      scratch = mkdtempSync(join(tmpdir(), 'nest-add-'));
      run(scratch, nest, 'new', 'app', '--skip-install', '--skip-git', '--package-manager', 'npm');
      project = join(scratch, 'app');
      const modules = join(project, 'node_modules');
      mkdirSync(modules);
      for (const name of readdirSync(join(ROOT, 'node_modules')).filter(name => !name.startsWith('.')))
        symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
      const own = join(modules, 'nestjs-agent-security');
      execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--out', join(own, 'dist')]);
      cpSync(join(ROOT, 'package.json'), join(own, 'package.json'));
      const main = textOf('src/main.ts').replace(
        '  await app.listen',
        "  app.enableCors({ origin: '*' });\n  await app.listen",
      );
      writeFileSync(join(project, 'src/main.ts'), main);
    }, 300_000);
    afterAll(() => {
      app?.kill('SIGKILL');
      rmSync(scratch, { recursive: true, force: true });
    });

    test('nest add protects the app, removes nothing without leave, and does it once', () => {
      run(project, nest, 'add', 'nestjs-agent-security', '--skip-install');
      expect(textOf('src/app.module.ts')).toContain('imports: [AgentSecurityModule.forRoot()],');
      expect(textOf('src/main.ts')).toContain('enableCors');
      expect(textOf('.env.example')).toContain('ALLOWED_HOSTS=');
      expect(textOf('package.json')).toContain('"nestjs-agent-security": "^');
      const before = textOf('src/app.module.ts');
      const log = run(project, nest, 'add', 'nestjs-agent-security', '--skip-install', '--replace');
      expect(log).toContain('Removed from src/main.ts');
      expect([textOf('src/app.module.ts'), textOf('src/main.ts').includes('enableCors')]).toEqual([
        before,
        false,
      ]);
    }, 120_000);

    test('the app compiles, starts and is protected', async () => {
      run(project, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', ...COMPILER);
      const port = await freePort();
      app = spawn(process.execPath, ['dist/main.js'], {
        cwd: project,
        env: { ...process.env, PORT: String(port) },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise<void>((settle, fail) => {
        app!.stdout!.on('data', chunk => String(chunk).includes('successfully started') && settle());
        app!.once('exit', code => fail(new Error(`The app ended with ${code}`)));
      });
      const answer = await request(port, { path: '/', headers: { Host: 'localhost' } });
      expect([answer.status, answer.header('X-Content-Type-Options')]).toEqual([200, 'nosniff']);
      expect((await request(port, { path: '/', headers: { Host: 'evil.example' } })).status).toBe(421);
    }, 120_000);
  },
);
