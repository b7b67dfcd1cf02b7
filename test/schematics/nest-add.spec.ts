/* The schematic on projects in memory. nest-add-cli.spec.ts runs it by the Nest CLI. */
import { nestAdd, type NestAddOptions } from '../../src/schematics/nest-add.js';
import { MemoryTree } from '../support/schematic-tree.js';

/** What `nest new` makes. */
const MAIN = `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  await app.listen(process.env.PORT ?? 3000);
}
bootstrap();
`;
const MODULE = `import { Module } from '@nestjs/common';
import { AppController } from './app.controller';
import { AppService } from './app.service';

@Module({
  imports: [],
  controllers: [AppController],
  providers: [AppService],
})
export class AppModule {}
`;
const PROTECTED = MODULE.replace('imports: []', 'imports: [AgentSecurityModule.forRoot()]').replace(
  "app.service';\n",
  "app.service';\nimport { AgentSecurityModule } from 'nestjs-agent-security';\n",
);
const MANIFEST = '{\n  "name": "app",\n  "dependencies": {\n    "rxjs": "^7.8.1"\n  }\n}\n';

interface Run {
  readonly tree: MemoryTree;
  readonly log: string;
}
function run(files: Readonly<Record<string, string>>, options: NestAddOptions = {}): Run {
  const tree = new MemoryTree({
    '/package.json': MANIFEST,
    '/src/main.ts': MAIN,
    '/src/app.module.ts': MODULE,
    ...files,
  });
  const lines: string[] = [];
  const logger = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  nestAdd(options)(tree, { logger });
  return { tree, log: lines.join('\n') };
}

test('protects the app of nest new', () => {
  const { tree } = run({});
  expect(tree.written.toSorted()).toEqual(['/.env.example', '/package.json', '/src/app.module.ts']);
  expect(tree.text('/src/app.module.ts')).toBe(PROTECTED);
  expect(tree.text('/package.json')).toBe(
    MANIFEST.replace('"rxjs"', '"nestjs-agent-security": "^0.1.0",\n    "rxjs"'),
  );
});

test('names the guide for Jest to an app that has it', () => {
  const guide = 'docs/guides/testing.md';
  expect(run({}).log).not.toContain(guide);
  expect(run({ '/package.json': '{\n  "devDependencies": { "jest": "^30" }\n}\n' }).log).toContain(guide);
});

test('a second run changes nothing', () => {
  const { tree } = run({});
  const files = ['/package.json', '/.env.example', '/src/main.ts', '/src/app.module.ts'];
  const again = run(Object.fromEntries(files.map(path => [path, tree.text(path)!])), { replace: true });
  expect(again.tree.written).toEqual([]);
});

test('an app that configures the module in another file gets no second import', () => {
  const text =
    "import { AgentSecurityModule } from 'nestjs-agent-security';\nexport const s = AgentSecurityModule.forRootAsync({});\n";
  expect(run({ '/src/security.ts': text }).tree.text('/src/app.module.ts')).toBe(MODULE);
  // A test of the app may configure it too.
  expect(run({ '/src/app.spec.ts': text }).tree.text('/src/app.module.ts')).toBe(PROTECTED);
});

const places: [title: string, path: string, main: string, options: NestAddOptions][] = [
  ['another file', '/src/core/root.module.ts', MAIN.replace('./app.module', './core/root.module.js'), {}],
  ['the index of a folder', '/src/core/index.ts', MAIN.replace('./app.module', './core'), {}],
  ['a project of a monorepo', '/apps/api/src/app.module.ts', MAIN, { sourceRoot: 'apps/api/src' }],
  [
    'a Fastify app',
    '/src/root.module.ts',
    MAIN.replace('./app.module', './root.module').replace('create(', 'create<NestFastifyApplication>('),
    {},
  ],
];
test.each(places)('finds the root module in %s', (_title, path, main, options) => {
  const folder = options.sourceRoot ?? 'src';
  const { tree } = run({ [`/${folder}/main.ts`]: main, [path]: MODULE }, options);
  expect(tree.text(path)).toBe(PROTECTED);
  expect(path === '/src/app.module.ts' ? '' : tree.text('/src/app.module.ts')).not.toContain('AgentSecurity');
});

test('says what to add where the root module cannot be edited or found', () => {
  const module = MODULE.replace('imports: []', 'imports: shared');
  const { tree, log } = run({ '/src/app.module.ts': module, '/src/main.ts': ENABLE }, { replace: true });
  expect(tree.text('/src/app.module.ts')).toBe(module);
  // What protects the app stays where nothing takes its place.
  expect(tree.text('/src/main.ts')).toBe(ENABLE);
  expect(log).toContain(
    'Add AgentSecurityModule.forRoot() to the imports of src/app.module.ts: its imports are no list',
  );
  expect(run({}, { sourceRoot: 'lib' }).log).toContain('the imports of the root module: no file was found');
});

/* ---- what the module replaces ---- */

const withLines = (...lines: string[]): string =>
  MAIN.replace('  await app.listen', `${lines.map(line => `  ${line}\n`).join('')}  await app.listen`);
const importing = (line: string, text: string): string => text.replace('\n\n', `\n${line}\n\n`);
const ENABLE = withLines('app.enableCors();');

const removed: [title: string, before: string, after?: string][] = [
  ['app.enableCors()', ENABLE],
  ['enableCors with options', withLines("app.enableCors({\n    origin: ['https://app.example.com'],\n  });")],
  ['useSecurityHeaders', withLines('app.useSecurityHeaders();')],
  ['helmet', importing("import helmet from 'helmet';", withLines('app.use(helmet());'))],
  [
    'helmet of a namespace',
    importing("import * as helmet from 'helmet';", withLines('app.use(helmet.default({ hsts: false }));')),
  ],
  ['helmet of import =', importing("import helmet = require('helmet');", withLines('app.use(helmet());'))],
  ['helmet of require', importing("const helmet = require('helmet');", withLines('app.use(helmet());'))],
  [
    'a part of helmet',
    importing("import { frameguard } from 'helmet';", withLines('app.use(frameguard());')),
  ],
  [
    'helmet and cors at once',
    importing(
      "import cors from 'cors';\nimport helmet from 'helmet';",
      withLines('app.use(helmet(), cors());'),
    ),
  ],
  [
    '@fastify/helmet',
    importing(
      "import helmet from '@fastify/helmet';",
      withLines('await app.register(helmet, { hsts: false });'),
    ),
  ],
  [
    '@fastify/cors',
    importing("import fastifyCors from '@fastify/cors';", withLines('await app.register(fastifyCors);')),
  ],
  ['cors: true', MAIN.replace('(AppModule)', '(AppModule, { cors: true })')],
  [
    'cors among options',
    MAIN.replace('(AppModule)', "(AppModule, { cors: { origin: '*' }, bufferLogs: true })"),
    MAIN.replace('(AppModule)', '(AppModule, { bufferLogs: true })'),
  ],
  [
    'cors behind options',
    MAIN.replace('(AppModule)', '(AppModule, { bufferLogs: true, cors: true })'),
    MAIN.replace('(AppModule)', '(AppModule, { bufferLogs: true })'),
  ],
  [
    'blank lines around',
    withLines('', 'app.enableCors(); // for the web app', '').replaceAll('  \n', '\n'),
    withLines('').replaceAll('  \n', '\n'),
  ],
  ['lines that end with CR LF', ENABLE.replaceAll('\n', '\r\n'), MAIN.replaceAll('\n', '\r\n')],
  ['what uses a variable that others use', withLines('app.enableCors({ origin: process.env.PORT });')],
];
test.each(removed)('removes the set-up of main.ts: %s', (_title, before, after = MAIN) => {
  const { tree, log } = run({ '/src/main.ts': before }, { replace: true });
  expect(tree.text('/src/main.ts')).toBe(after);
  expect(log).toMatch(/^Removed from src\/main\.ts:\d+, option "(?:cors|headers)" takes its settings: /m);
  expect(log).not.toContain('Remove manually');
  expect(tree.text('/src/app.module.ts')).toBe(PROTECTED);
});

test.each(removed)('lists the set-up without leave to remove it: %s', (_title, before) => {
  const { tree, log } = run({ '/src/main.ts': before });
  expect(tree.text('/src/main.ts')).toBe(before);
  expect(log).toMatch(
    /^Remove manually from src\/main\.ts:\d+, option "(?:cors|headers)" takes its settings: /m,
  );
});

const left: [title: string, main: string][] = [
  [
    'helmet for one path',
    importing("import helmet from 'helmet';", withLines("app.use('/docs', helmet());")),
  ],
  [
    'helmet beside another middleware',
    importing("import helmet from 'helmet';", withLines('app.use(helmet(), audit());')),
  ],
  ['a condition', withLines('if (dev) app.enableCors();')],
  ['a block under a condition', withLines('if (dev) {\n    app.enableCors();\n  }')],
  ['a chain', MAIN.replace('(AppModule);', '(AppModule).then(app => app.enableCors());')],
  [
    'a variable that nothing else would use',
    withLines("const options = { origin: 'https://a.example' };", 'app.enableCors(options);'),
  ],
  [
    'a parameter that nothing else would use',
    `${MAIN}export function configure(nest: App) {\n  nest.enableCors();\n}\n`,
  ],
  [
    'a function that gives the middleware',
    importing("import helmet from 'helmet';", `${MAIN}export const headers = () => helmet();\n`),
  ],
  [
    'limits of another package',
    importing("import rateLimit from 'express-rate-limit';", withLines('app.use(rateLimit({ limit: 3 }));')),
  ],
  [
    'an import that cannot be removed',
    importing("import helmet from 'helmet';", withLines('const use = helmet;', 'app.use(use());')),
  ],
];
test.each(left)('leaves the set-up of main.ts and names it: %s', (_title, main) => {
  const { tree, log } = run({ '/src/main.ts': main }, { replace: true });
  expect(tree.text('/src/main.ts')).toBe(main);
  expect(log).toMatch(
    /^Remove manually from src\/main\.ts:\d+, option "\w+" takes its settings: .*(?:nableCors|elmet|rateLimit)/m,
  );
});

test('other files are read, not changed', () => {
  const text = "import helmet from 'helmet';\nexport const setUp = app => app.use(helmet());\n";
  const { tree, log } = run({ '/src/http/set-up.ts': text }, { replace: true });
  expect(tree.text('/src/http/set-up.ts')).toBe(text);
  expect(log).toContain('Remove manually from src/http/set-up.ts:2');
});

test('names the packages that are not imported any more', () => {
  const main = importing("import helmet from 'helmet';", withLines('app.use(helmet());'));
  expect(run({ '/src/main.ts': main }, { replace: true }).log).toContain('imports these any more: helmet');
  expect(run({ '/src/main.ts': main }).log).not.toContain('any more');
});

test('cors: false is no set-up', () => {
  const main = MAIN.replace('(AppModule)', '(AppModule, { cors: false })');
  expect(run({ '/src/main.ts': main }).log).not.toContain('by hand');
});
