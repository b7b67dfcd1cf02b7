/* The commands `check` and `doctor` of the built package, on modules as users have them: ESM, CommonJS, broken, and ones that do not end. */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

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
  symlinkSync(ROOT, join(app, 'node_modules/nestjs-agent-security'));
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
  'broken.js': moduleOf("{ cors: { origins: '*' }, noStore: false }"),
  'wrong.js': moduleOf("{ hosts: ['https://api.example.com'] }"),
  'endless.js': moduleOf('{}', "console.log('printed by the app'); setInterval(() => undefined, 1000);"),
  'ending.js': moduleOf('{}', 'process.exit(0);'),
  'rejecting.js': moduleOf('{}', "throw new Error('no \\u001b[31mdatabase');"),
  'several.js': `${moduleOf('{ url: false }').replaceAll('AppModule', 'RootModule')}export class Other {}\n`,
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

describe('check', () => {
  it.each([
    ['a clean app, on Express', 'clean.js', [], 0, /^0 findings of \d+ checks, 0 silenced\n$/],
    ['a clean app, on Fastify', 'clean.js', ['--platform', 'fastify'], 0, /^0 findings/],
    ['findings', 'broken.js', [], 1, /^warning ASEC-C002: cors\.origins is "\*"\n[^]*note ASEC-C017/],
    ['findings below the level', 'broken.js', ['--fail-level', 'error'], 0, /ASEC-C002/],
    [
      'a configuration that stops the start-up',
      'wrong.js',
      [],
      1,
      /^error ASEC_HOST_SCHEME: hosts\[0\] must not/,
    ],
    ['an app that would not end, and prints', 'endless.js', [], 0, /^0 findings/],
    ['an export of another name', 'several.js', ['--export', 'RootModule'], 1, /ASEC-C011/],
  ])('shows %s', async (_title, module, more, status, out) => {
    const shown = await check(module, ...more);
    expect([shown.status, shown.err.replace('printed by the app\n', '')]).toEqual([status, '']);
    expect(shown.out).toMatch(out);
  });

  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const canRequireEsm = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
  (canRequireEsm ? it : it.skip)('loads CommonJS', async () => {
    expect(await check('common.cjs')).toMatchObject({ status: 1, out: expect.stringContaining('ASEC-C013') });
  });

  it.each([
    ['a module that is not there', ['check'], /There is no file dist\/app\.module\.js/],
    [
      'an app that fails, its message escaped',
      ['check', '--module', 'rejecting.js'],
      /no \\u001b\[31mdatabase/,
    ],
    ['an app without the module', ['check', '--module', 'without.js'], /does not import AgentSecurityModule/],
    ['several classes', ['check', '--module', 'several.js'], /Its classes: Other, RootModule/],
    ['an unknown format', ['check', '--format', 'xml'], /--format must be one of text, json, sarif/],
    ['an unknown level', ['check', '--fail-level', 'high'], /--fail-level must be one of/],
    ['an unknown platform', ['check', '--platform', 'koa'], /--platform must be one of/],
    ['an unknown option', ['check', '--deep'], /Unknown option '--deep'/],
    ['a format that doctor has not', ['doctor', '--format', 'sarif'], /must be one of text, json/],
  ])('ends with 2 for %s', async (_title, args, err) => {
    const failed = await run(args);
    expect([failed.status, failed.out]).toEqual([2, '']);
    expect(failed.err).toMatch(err);
  });

  it('ends with 2 for an app that ends the process', async () => {
    expect(await check('ending.js')).toMatchObject({ status: 2, out: '' });
  });

  it.each([
    ['json', (text: string) => JSON.parse(text).findings[0].id],
    ['sarif', (text: string) => JSON.parse(text).runs[0].results[0].ruleId],
    ['junit', (text: string) => /<testcase [^>]*name="(ASEC-C\d+)/.exec(text)?.[1]],
    ['github', (text: string) => /^::warning file=broken\.js,title=(ASEC-C\d+)::/.exec(text)?.[1]],
  ])('prints %s', async (format, read) => {
    const { out } = await check('broken.js', '--format', format);
    expect(read(out)).toBe('ASEC-C002');
  });
});

describe('check --deploy', () => {
  it('asks npm for vulnerable dependencies', async () => {
    const { status, out } = await check('clean.js', '--deploy', '--format', 'json');
    const ids = JSON.parse(out).findings.map(({ id }: { id: string }) => id);
    expect(status).toBe(1);
    expect(ids).toEqual(expect.arrayContaining(['ASEC-C060', 'ASEC-C055', 'ASEC-C051']));
  });

  /** The variables of a deployment, as docs/check.md and the sample's .env.example name them. */
  const DEPLOYED = {
    NODE_ENV: 'production',
    ALLOWED_HOSTS: 'api.example.com',
    TRUST_PROXY: '10.0.0.0/8',
    PUBLIC_URL: 'https://api.example.com',
    AUDIT_KEY: 'k'.repeat(64),
  };

  it.each(['express', 'fastify'])(
    'finds nothing in the sample on %s that is not silenced',
    async platform => {
      writeFileSync(join(app, 'audit.json'), '{"vulnerabilities":{}}');
      const module = join(SAMPLE, 'dist/app.module.js');
      const env = { ...DEPLOYED, AUDIT_FILE: join(app, 'audit.log') };
      const args = ['check', '--deploy', '--module', module, '--platform', platform, '--format', 'json'];
      const { out, err } = await run(args, env);
      const { findings, silenced } = JSON.parse(out || `{"findings":${JSON.stringify(err)}}`);
      // Where the tests run as root in a container, that is said.
      expect(findings.filter(({ id }: { id: string }) => id !== 'ASEC-C059')).toEqual([]);
      expect(silenced.map(({ id, reason }: Record<string, string>) => [id, reason])).toEqual([
        ['ASEC-C009', expect.stringMatching(/demonstration/i)],
      ]);
    },
  );

  it('finds nothing in the sample of a developer', async () => {
    const args = ['check', '--module', join(SAMPLE, 'dist/app.module.js')];
    expect(await run(args, { AUDIT_FILE: join(app, 'dev.log') })).toMatchObject({ status: 0 });
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
    expect(out).toMatch(/noStore +- {2}\[default\]|noStore +true {2}\[default\]/);
    expect(out).not.toContain('s'.repeat(40));
    expect(status).toBe(1);
  });

  it('shows what stops the start-up', async () => {
    const { status, out } = await run(['doctor', '--module', 'wrong.js', '--format', 'json']);
    expect(status).toBe(1);
    expect(JSON.parse(out).problems).toEqual([expect.stringContaining('must not carry a scheme')]);
  });
});
