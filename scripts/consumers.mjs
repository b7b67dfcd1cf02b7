/*
 * Packs the package, installs it into the projects of test/consumers, each in a temporary folder, and runs their tests.
 *   node scripts/consumers.mjs               all of them
 *   node scripts/consumers.mjs bun types     some of them
 *   node scripts/consumers.mjs --tarball F   with a package that is packed already
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const PROJECTS = join(ROOT, 'test/consumers');
const all = readdirSync(PROJECTS).filter(name => name !== 'shared');
const { values, positionals } = parseArgs({
  options: { tarball: { type: 'string' } },
  allowPositionals: true,
});
const names = positionals.length > 0 ? positionals : all;
const unknown = names.filter(name => !all.includes(name));
if (unknown.length > 0) throw new Error(`There is no ${unknown.join(', ')} among ${all.join(', ')}`);

const folder = mkdtempSync(join(tmpdir(), 'consumers-'));
const failed = [];
try {
  const tarball = values.tarball === undefined ? pack() : resolve(values.tarball);
  for (const name of names) if (!run(name, tarball)) failed.push(name);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${names.length - failed.length} passed, ${failed.length} failed ${failed.join(' ')}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;

function pack() {
  const packed = execFileSync(process.execPath, [join(ROOT, 'scripts/pack.mjs'), folder], {
    encoding: 'utf8',
  });
  return join(folder, JSON.parse(packed)[0].filename);
}

function run(name, tarball) {
  process.stdout.write(`== ${name} on Node ${process.versions.node}\n`);
  const cwd = join(folder, name);
  cpSync(join(PROJECTS, 'shared'), cwd, { recursive: true });
  cpSync(join(PROJECTS, name), cwd, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'));
  manifest.dependencies['nestjs-agent-security'] = `file:${tarball}`;
  writeFileSync(join(cwd, 'package.json'), JSON.stringify(manifest));
  // The commands of the project run on the Node.js of this script.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` };
  const npm = args =>
    spawnSync('npm', args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
  // `bun` is installed by a script of its package.
  return npm(['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']) && npm(['test']);
}
