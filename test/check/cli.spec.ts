/* The commands `check` and `doctor` of the built package, on modules as users have them: ESM, CommonJS, broken, and ones that do not end. */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { checkCommand, doctorCommand } from '../../src/cli/check-command.js';

const ROOT = resolve(__dirname, '../..');
const MAIN = join(ROOT, 'dist/cli/main.js');
const SAMPLE = join(ROOT, 'sample/agent-api');

jest.setTimeout(120_000);

let app = '';
beforeAll(() => {
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', SAMPLE], {
    stdio: 'inherit',
  });
  app = mkdtempSync(join(tmpdir(), 'check-cli-'));
  mkdirSync(join(app, 'bin'));
  mkdirSync(join(app, 'node_modules'));
  for (const name of ['@nestjs', 'reflect-metadata', 'rxjs'])
    symlinkSync(join(ROOT, 'node_modules', name), join(app, 'node_modules', name));
  // Without its entry for `require()`, which only the published build has.
  const own = join(app, 'node_modules/nestjs-agent-security');
  mkdirSync(own);
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const exports = { '.': './dist/index.js', './package.json': './package.json' };
  writeFileSync(join(own, 'package.json'), JSON.stringify({ ...manifest, exports }));
  symlinkSync(join(ROOT, 'dist'), join(own, 'dist'));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(app, name), text);
  // In place of a registry.
  const vulnerabilities = { qs: { severity: 'high' } };
  writeFileSync(join(app, 'audit.json'), JSON.stringify({ vulnerabilities }));
  writeFileSync(join(app, 'bin/npm'), `#!/bin/sh\ncat ${JSON.stringify(join(app, 'audit.json'))}\nexit 1\n`);
  chmodSync(join(app, 'bin/npm'), 0o755);
});
afterAll(() => rmSync(app, { recursive: true, force: true }));

const moduleOf = (options: string, rest = ''): string =>
  `import { Module } from '@nestjs/common';
import { AgentSecurityModule } from 'nestjs-agent-security';
${rest}
export class AppModule {}
Module({ imports: [AgentSecurityModule.forRoot(${options})] })(AppModule);
`;

const FILES: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({ name: 'app', type: 'module', dependencies: { helmet: '^8' } }),
  'clean.js': moduleOf('{}'),
  'broken.js': moduleOf("{ cors: { origins: '*' }, noStore: false }", 'export class Other {}').replaceAll(
    'AppModule',
    'RootModule',
  ),
  'wrong.js': moduleOf("{ hosts: ['https://api.example.com'] }"),
  'endless.js': moduleOf('{}', "console.log('printed by the app'); setInterval(() => undefined, 1000);"),
  'open.js': moduleOf('{}', 'setInterval(() => undefined, 1000);').replace(
    'class AppModule {}',
    'class AppModule { onModuleDestroy() { return new Promise(() => undefined); } }',
  ),
  'source.ts': moduleOf('{}'),
  'throwing.js': moduleOf('{}', 'throw undefined;'),
  'ending.js': moduleOf('{}', 'process.exit(0);'),
  'rejecting.js': moduleOf('{}', "throw new Error('no \\u001b[31mdatabase');"),
  'several.js': 'export class First {}\nexport class Second {}\n',
  'without.js':
    "import { Module } from '@nestjs/common';\nexport class AppModule {}\nModule({})(AppModule);\n",
  // As TypeScript compiles it.
  'common.cjs': `Object.defineProperty(exports, '__esModule', { value: true });
const { Module } = require('@nestjs/common');
const { AgentSecurityModule } = require('nestjs-agent-security');
class AppModule {}
exports.AppModule = AppModule;
Module({ imports: [AgentSecurityModule.forRoot({ body: false })] })(AppModule);
`,
};

interface Run {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function run(args: readonly string[], env: Record<string, string> = {}, cwd = app): Promise<Run> {
  const clean = { PATH: `${join(app, 'bin')}${delimiter}${process.env['PATH']}`, HOME: app };
  return new Promise(settle => {
    execFile(process.execPath, [MAIN, ...args], { cwd, env: { ...clean, ...env } }, (error, out, err) =>
      settle({ status: error === null ? 0 : (error.code as number), out, err }),
    );
  });
}

const check = (module: string, ...more: string[]): Promise<Run> =>
  run(['check', '--module', module, ...more]);

/** Each run starts an app, so a run serves several claims. */
describe('check', () => {
  it('finds nothing in a clean app, which prints and would not end', async () => {
    const { status, out, err } = await check('endless.js', '--platform', 'fastify');
    expect([status, err]).toEqual([0, 'printed by the app\n']);
    expect(out).toMatch(/^0 findings of \d+ checks, 0 silenced\n$/);
  });

  it('shows findings, and fails from the level on', async () => {
    const { status, out } = await check('broken.js', '--export', 'RootModule', '--fail-level', 'error');
    expect(status).toBe(0);
    expect(out).toMatch(/^warning ASEC-C002: cors\.origins is "\*"\n[^]*note ASEC-C017/);
  });

  it('shows the report of an app that does not close', async () => {
    const { status, out } = await check('open.js');
    expect([status, out]).toEqual([0, expect.stringMatching(/^0 findings/)]);
  });

  it('shows a configuration that stops the start-up, in the format', async () => {
    const { status, out } = await check('wrong.js', '--format', 'sarif');
    const [result] = JSON.parse(out).runs[0].results;
    expect([status, result.ruleId, result.level]).toEqual([1, 'ASEC_HOST_SCHEME', 'error']);
  });

  it('loads CommonJS', async () => {
    expect(await check('common.cjs')).toMatchObject({ status: 1, out: expect.stringContaining('ASEC-C013') });
  });

  it.each([
    ['an app that fails, its message escaped', 'rejecting.js', /no \\u001b\[31mdatabase/],
    ['an app without the module', 'without.js', /does not import AgentSecurityModule/],
    ['a module that is not there', 'dist/app.module.js', /^There is no file dist\/app\.module\.js[^\n]+\n$/],
    ['several classes', 'several.js', /Its classes: First, Second[^\n]+\n$/],
    [
      'an app that ends the process',
      'ending.js',
      /^The app ended the process, so that it was not checked\.\n$/,
    ],
    ['a folder', 'bin', /^There is no file bin\./],
    ['TypeScript', 'source.ts', /^source\.ts is TypeScript\. Build the app first/],
    ['an app that throws no error', 'throwing.js', /^The app could not be checked\. undefined\n$/],
  ])('ends with 2 for %s', async (_title, module, err) => {
    const failed = await check(module);
    expect([failed.status, failed.out]).toEqual([2, '']);
    expect(failed.err).toMatch(err);
  });

  it.each([
    ['an unknown format', checkCommand, ['--format', 'xml'], /--format must be one of text, json, sarif/],
    ['an unknown level', checkCommand, ['--fail-level', 'high'], /--fail-level must be one of/],
    ['an unknown platform', checkCommand, ['--platform', 'koa'], /--platform must be one of/],
    ['an unknown option', checkCommand, ['--deep'], /Unknown option '--deep'/],
    ['a format that doctor has not', doctorCommand, ['--format', 'sarif'], /must be one of text, json/],
  ])('ends with 2 for %s', async (_title, command, args, err) => {
    const lines: string[] = [];
    const io = { env: {}, out: () => undefined, err: (text: string) => void lines.push(text) };
    expect(await command(args, io)).toBe(2);
    expect(lines.join('')).toMatch(err);
    expect(lines.join('')).toContain('Usage:');
  });
});

describe('check --deploy', () => {
  /** The variables of a deployment, as docs/check.md and the sample's .env.example name them. */
  const DEPLOYED = {
    NODE_ENV: 'production',
    ALLOWED_HOSTS: 'api.example.com',
    TRUST_PROXY: '10.0.0.0/8',
    PUBLIC_URL: 'https://api.example.com',
    AUDIT_KEY: 'k'.repeat(64),
  };

  it('finds in the sample what npm audit names and what is silenced, and nothing else', async () => {
    const module = join(SAMPLE, 'dist/app.module.js');
    const env = { ...DEPLOYED, AUDIT_FILE: join(app, 'audit.log') };
    const { status, out } = await run(['check', '--deploy', '--module', module, '--format', 'json'], env);
    const { findings, silenced } = JSON.parse(out);
    // Where the tests run as root in a container, that is said.
    const others = findings.filter(({ id }: { id: string }) => id !== 'ASEC-C059');
    expect(others.map(({ id, option }: Record<string, string>) => [id, option])).toEqual([
      ['ASEC-C060', 'qs'],
    ]);
    expect(silenced.map(({ id, reason }: Record<string, string>) => [id, reason])).toEqual([
      ['ASEC-C009', expect.stringMatching(/demonstration/i)],
    ]);
    expect(status).toBe(1);
  });
});

describe('doctor', () => {
  it('shows versions, conflicts, and each option with its source', async () => {
    const args = ['doctor', '--module', 'clean.js'];
    const { status, out } = await run(args, { ALLOWED_HOSTS: 'api.example.com', AUDIT_KEY: 's'.repeat(40) });
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(out).toContain(`nestjs-agent-security ${version}\n`);
    expect(out).toMatch(/node \d+\.\d+\.\d+ \(supported: /);
    expect(out).toContain('helmet is installed, and not seen in the app.');
    expect(out).toMatch(/hosts\.allow +"api\.example\.com" {2}\[ALLOWED_HOSTS\]/);
    expect(out).toMatch(/noStore +true {2}\[default\]/);
    expect(out).not.toContain('s'.repeat(40));
    expect(status).toBe(1);
  });
});
