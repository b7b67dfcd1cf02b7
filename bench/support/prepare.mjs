/* What has to be there before anything is measured: the built package, and the packages that stand beside it. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const BENCH = fileURLToPath(new URL('..', import.meta.url));
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export function prepare() {
  if (!existsSync(join(BENCH, 'node_modules'))) {
    console.error('bench: installing the packages of bench/package-lock.json (npm ci --prefix bench)');
    execFileSync('npm', ['ci', '--prefix', BENCH, '--no-audit', '--no-fund'], {
      // npm reads .npmrc from the directory that it runs in.
      cwd: BENCH,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  if (isBuilt()) return;
  console.error('bench: building dist');
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '-b', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' });
}

/** The modules of `dist`, and their bundle as it is published, in folders that Node resolves packages from. */
export const LOADS = [{ folder: 'dist' }, { folder: 'dist/published' }];

/** Builds what is published. It takes half a minute, so only what loads it does. */
export function preparePublished() {
  const build = join(ROOT, 'scripts/build.mjs');
  execFileSync(process.execPath, [build, '--out', join(ROOT, LOADS[1].folder)], { stdio: 'inherit' });
}

function isBuilt() {
  const built = join(ROOT, 'dist/.tsbuildinfo');
  if (!existsSync(join(ROOT, 'dist/index.js')) || !existsSync(built)) return false;
  const builtMs = statSync(built).mtimeMs;
  return readdirSync(join(ROOT, 'src'), { recursive: true }).every(
    name => statSync(join(ROOT, 'src', name)).mtimeMs <= builtMs,
  );
}
