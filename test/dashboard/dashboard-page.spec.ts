/* The page of the dashboard: it is what its sources make, it is small, and it can execute nothing else. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { PAGE, SCRIPT, STYLE } from '../../src/dashboard/dashboard-page.js';

const ROOT = resolve(__dirname, '../..');
const FOLDER = join(ROOT, 'src/dashboard');

it('is generated from src/dashboard/page: run "npm run dashboard"', () => {
  const program = `import('./scripts/generate-dashboard.mjs').then(({ createModule }) => process.stdout.write(createModule()))`;
  const made = execFileSync(process.execPath, ['-e', program], { cwd: ROOT, encoding: 'utf8' });
  expect(made).toBe(readFileSync(join(FOLDER, 'dashboard-page.ts'), 'utf8'));
});

it('has at most 12 kB, compressed', () => {
  expect(gzipSync(PAGE + STYLE + SCRIPT).length).toBeLessThanOrEqual(12_000);
});

it('has no inline handler, no inline style and no other origin', () => {
  expect(PAGE).not.toMatch(/\son\w+=|\sstyle=|https?:/);
  expect(STYLE).not.toMatch(/url\(|@import/);
  expect(SCRIPT).not.toMatch(/innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function/);
});
