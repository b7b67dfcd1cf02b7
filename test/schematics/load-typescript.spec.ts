import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadTypeScript } from '../../src/schematics/load-typescript.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'load-typescript-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const OLD = 'exports.version = "6"; exports.createSourceFile = () => {};';
/** TypeScript 7 has no `createSourceFile`. */
const NEW = 'exports.version = "7";';

function install(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries({ 'package.json': '{}', ...files })) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
}
const CLI = 'node_modules/@nestjs/cli/package.json';
const OF_CLI = 'node_modules/@nestjs/cli/node_modules/typescript/index.js';
const OF_PROJECT = 'node_modules/typescript/index.js';
const GLOBAL = 'global/node_modules/typescript/index.js';

const rows: [title: string, files: Record<string, string>, version: string | undefined][] = [
  ['the project', { [OF_PROJECT]: OLD }, '6'],
  ['the CLI, where the project has TypeScript 7', { [OF_PROJECT]: NEW, [CLI]: '{}', [OF_CLI]: OLD }, '6'],
  ['the program that runs, where the CLI is installed globally', { [OF_PROJECT]: NEW, [GLOBAL]: OLD }, '6'],
  ['none, where there is TypeScript 7 alone', { [OF_PROJECT]: NEW, [CLI]: '{}' }, undefined],
  ['none, where there is no TypeScript', {}, undefined],
];
test.each(rows)('takes the compiler of %s', (_title, files, version) => {
  install(files);
  expect(loadTypeScript(root, join(root, 'global/nest.js'))?.version).toBe(version);
});
