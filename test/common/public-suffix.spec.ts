/* The stored list of public suffixes, compared with the package that it was made from. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'tldts';
import { isPublicSuffix } from '../../src/common/public-suffix.js';
import { PUBLIC_SUFFIXES } from '../../src/common/public-suffix-list.js';

const ROOT = resolve(__dirname, '../..');

test('the stored list is that of tldts. If not, run: npm run suffixes', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'suffixes-'));
  const written = join(scratch, 'list.ts');
  const read = (file: string): string => readFileSync(file, 'utf8').replaceAll('\r\n', '\n');
  execFileSync(process.execPath, [join(ROOT, 'scripts/generate-public-suffixes.mjs'), '--out', written]);
  const isCurrent = read(join(ROOT, 'src/common/public-suffix-list.ts')) === read(written);
  rmSync(scratch, { recursive: true });
  expect(isCurrent).toBe(true);
});

/** As `tldts` reads the whole list. */
function expectedOf(domain: string): boolean {
  const { publicSuffix, isIcann, isPrivate } = parse(domain, { allowPrivateDomains: true });
  return publicSuffix === domain && (isIcann === true || isPrivate === true);
}

test('a name is a suffix exactly where tldts finds one: listed names, those above and those below', async () => {
  const names = new Set([
    'localhost',
    'internal',
    'my-app.internal',
    'com',
    'www.ck',
    'a.ck',
    'city.kobe.jp',
  ]);
  // Some labels of each name: the other test compares the whole list.
  for (const line of PUBLIC_SUFFIXES.slice(1)) {
    const [parent = '', ...labels] = line.split(' ');
    for (const label of [...labels.slice(0, 20), 'my-app']) {
      const name = `${label.replace('!', '').replace('*', 'any')}.${parent}`.replace(/\.$/, '');
      names
        .add(parent || 'arpa')
        .add(name)
        .add(`my-app.${name}`);
    }
  }
  expect(names.size).toBeGreaterThan(10_000);
  const different: string[] = [];
  for (const name of names) if ((await isPublicSuffix(name)) !== expectedOf(name)) different.push(name);
  expect(different).toEqual([]);
});

test.each([
  ['com', true],
  ['co.uk', true],
  ['vercel.app', true],
  ['xn--p1ai', true],
  ['any.ck', true],
  ['www.ck', false],
  ['example.com', false],
  ['localhost', false],
  ['', false],
  ['#', false],
  ['Public', false],
])('%j: %s', async (domain, expected) => {
  expect(await isPublicSuffix(domain)).toBe(expected);
});
