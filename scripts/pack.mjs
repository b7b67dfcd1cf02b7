/* Builds and packs the package as `npm publish` does, without touching dist. Prints what `npm pack --json` says: node scripts/pack.mjs FOLDER */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const folder = resolve(process.argv[2]);
const copy = join(folder, 'copy');
const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const texts = files.filter(name => !name.includes('dist'));
for (const file of ['package.json', 'README.md', 'LICENSE', ...texts])
  cpSync(join(ROOT, file), join(copy, file));
execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs'), '--out', join(copy, 'dist')]);
execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
  cwd: copy,
  stdio: ['ignore', 'inherit', 'ignore'],
});
