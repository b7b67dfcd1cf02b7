/* An earlier commit in a folder of its own, built, with the benches of today: what regression.mjs compares with. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BENCH, ROOT } from './prepare.mjs';

const git = (...args) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();

function tryGit(...args) {
  try {
    return execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}

/** The last release, else where a branch left main, else the commit before. */
export function findBase() {
  const tag = tryGit('describe', '--tags', '--abbrev=0', 'HEAD^');
  if (tag !== undefined) return { name: tag, commit: git('rev-parse', `${tag}^{commit}`) };
  const head = git('rev-parse', 'HEAD');
  const left = tryGit('merge-base', 'HEAD', 'origin/main') ?? head;
  const commit = left === head ? git('rev-parse', 'HEAD^') : left;
  return { name: commit.slice(0, 9), commit };
}

export function readBase(name) {
  return { name, commit: git('rev-parse', `${name}^{commit}`) };
}

/** Whether any of the paths differs from the commit, uncommitted changes included. */
export const differs = (commit, ...paths) => tryGit('diff', '--quiet', commit, '--', ...paths) === undefined;

/**
 * @param {string} commit
 * @param {string} folder an empty folder
 * @returns {string} the script of its server
 */
export function checkOut(commit, folder) {
  const archive = join(folder, 'base.tar');
  execFileSync('git', ['archive', '--output', archive, commit], { cwd: ROOT });
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  rmSync(join(folder, 'bench'), { recursive: true, force: true });
  mkdirSync(join(folder, 'bench'));
  cpSync(join(BENCH, 'support'), join(folder, 'bench/support'), { recursive: true });
  symlinkSync(join(BENCH, 'node_modules'), join(folder, 'bench/node_modules'));
  const run = (command, ...args) =>
    execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  if (differs(commit, 'package-lock.json')) run('npm', 'ci', '--no-audit', '--no-fund');
  else symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const prepare = `import('./bench/support/prepare.mjs').then(({ prepare }) => prepare())`;
  run(process.execPath, '-e', prepare);
  return pathToFileURL(join(folder, 'bench/support/server.mjs')).href;
}
