import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Param, Query } from '@nestjs/common';
import fc from 'fast-check';
import { SafePathPipe } from '../../src/index.js';
import { checkSafePath, type PathFault } from '../../src/safe-path/check-safe-path.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'safe-path-')));
const root = join(folder, 'root');
mkdirSync(join(root, 'inner'), { recursive: true });
mkdirSync(join(folder, 'root-sibling'));
writeFileSync(join(folder, 'secret.txt'), 'secret');
writeFileSync(join(root, 'a.txt'), 'a');
writeFileSync(join(root, 'inner', 'b.txt'), 'b');
symlinkSync(folder, join(root, 'out'));
symlinkSync(join(folder, 'secret.txt'), join(root, 'secret-link'));
symlinkSync(join(folder, 'root-sibling'), join(root, 'sibling'));
symlinkSync(join(folder, 'not-there-yet'), join(root, 'dangling'));
symlinkSync(join(root, 'loop'), join(root, 'loop'));
symlinkSync(join(root, 'inner'), join(root, 'within'));
afterAll(() => rmSync(folder, { recursive: true }));

type Row = [path: string, expected: PathFault | undefined];
const rows: Row[] = [
  ['a.txt', undefined],
  ['inner/b.txt', undefined],
  ['a..b/c...d', undefined],
  ['größe 1.txt', undefined],
  ['100%.txt', undefined],
  ['console.log', undefined],
  ['communication/nullable', undefined],
  ['', 'empty'],
  ['a'.repeat(1025), 'too-long'],
  ['a\0.txt', 'control'],
  ['a\n', 'control'],
  ['/etc/passwd', 'absolute'],
  ['~/x', 'absolute'],
  ['..\\x', 'backslash'],
  ['C:x', 'colon'],
  ['a.txt:hidden', 'colon'],
  ['%2e%2e%2fx', 'encoded'],
  ['%252e%252e', 'encoded'],
  ['..', 'segment'],
  ['../x', 'segment'],
  ['a/../b', 'segment'],
  ['a/./b', 'segment'],
  ['a//b', 'segment'],
  ['a/', 'segment'],
  ['.. /x', 'segment'],
  ['a. /x', 'segment'],
  ['x.', 'segment'],
  ['ä'.repeat(128), 'segment'],
  ['.env', 'dotfile'],
  ['a/.git/config', 'dotfile'],
  ['NUL', 'device'],
  ['con.txt', 'device'],
  ['a/COM1', 'device'],
  ['lpt9 .x', 'device'],
  ['COM¹', 'device'],
];

it.each(rows)('%j: %s', (path, expected) => expect(checkSafePath(path, false)).toBe(expected));

it('accepts names with a dot with dotfiles: true', () => {
  expect([checkSafePath('.env', true), checkSafePath('..', true), checkSafePath('.', true)]).toEqual([
    undefined,
    'segment',
    'segment',
  ]);
});

it('leads nowhere out of its root', async () => {
  const pipe = new SafePathPipe({ root });
  const tokens = [
    'a.txt',
    'inner',
    'out',
    'secret-link',
    'sibling',
    'dangling',
    'within',
    'loop',
    '..',
    '.',
    '/',
    '\\',
    '%2e',
    'new',
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...tokens), { minLength: 1, maxLength: 7 }), async parts => {
      const found = await pipe.transform(parts.join('')).catch(() => root);
      expect(found === root || found.startsWith(`${root}/`)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

it.each([
  [{ root: join(folder, 'nowhere') }, /ASEC_OPTION_TYPE/],
  [{ root: join(folder, 'secret.txt') }, /ASEC_OPTION_TYPE/],
  [{}, /ASEC_OPTION_TYPE/],
  [{ root, roots: 1 }, /ASEC_OPTION_UNKNOWN/],
])('new SafePathPipe(%j) stops the start-up', (options, message) =>
  expect(() => new SafePathPipe(options as { root: string })).toThrow(message),
);

describe.each(PLATFORMS)('SafePathPipe on %s', (_title, platform) => {
  let opened: string[] = [];
  beforeEach(() => {
    opened = [];
  });

  @Controller()
  class Files {
    @Get('files')
    file(@Query('path', new SafePathPipe({ root })) path: string): object {
      opened.push(path);
      return {};
    }

    @Get('named/:name')
    named(@Param('name', new SafePathPipe({ root })) path: string): object {
      return this.file(path);
    }
  }

  it.each([
    ['a.txt', 'a.txt'],
    ['inner/b.txt', 'inner/b.txt'],
    ['within/b.txt', 'inner/b.txt'],
    ['inner/new/file.txt', 'inner/new/file.txt'],
    ['within/new.txt', 'inner/new.txt'],
  ])('%s is %s within the root', async (path, expected) => {
    const app = await start(platform, { controllers: [Files] });
    expect((await app.send(`/files?path=${encodeURIComponent(path)}`)).status).toBe(200);
    expect(opened).toEqual([join(root, expected)]);
  });

  it.each([
    '../secret.txt',
    '..%2fsecret.txt',
    'inner/../../secret.txt',
    '/etc/passwd',
    'out/secret.txt',
    'out/new.txt',
    'secret-link',
    'sibling/x',
    'dangling',
    'dangling/x',
    'loop',
    'a.txt\0',
    'a.txt/b',
    '',
  ])('%j reaches no handler', async path => {
    const app = await start(platform, { controllers: [Files] });
    const answer = await app.send(`/files?path=${encodeURIComponent(path)}`);
    expect([answer.status, answer.json().code, opened]).toEqual([400, 'path_invalid', []]);
    expect(answer.body).not.toContain('secret');
  });

  it('rejects a value that is no text', async () => {
    const app = await start(platform, { controllers: [Files] });
    for (const query of ['', '?path[a]=b', '?path=..&path=secret.txt']) {
      expect([(await app.send(`/files${query}`)).status, opened]).toEqual([400, []]);
    }
    expect((await app.send('/named/NUL')).status).toBe(400);
    expect((await app.send('/named/a.txt')).status).toBe(200);
  });
});
