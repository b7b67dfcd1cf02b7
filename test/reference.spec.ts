/* docs/reference and docs/compatibility.md hold what scripts/generate-reference.mjs makes of src, package.json and CI. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '..');
const SCRIPT = join(ROOT, 'scripts/generate-reference.mjs');

jest.setTimeout(120_000);

let scratch = '';
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'reference-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const pagesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(path => path.replaceAll('\\', '/'))
    .filter(path => path.endsWith('.md'));

/** The pages that the script writes for a copy of the repository, by their paths in docs. */
function generate(root: string, name: string): Map<string, string> {
  const out = join(scratch, name);
  execFileSync(process.execPath, [SCRIPT, '--root', root, '--out', out], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return new Map(pagesOf(out).map(page => [page, readFileSync(join(out, page), 'utf8')]));
}

/** A text of a file, and what stands in its place. */
type Change = readonly [file: string, from: string, to: string];

/** A copy of what the script reads, in which texts are replaced. */
function change(name: string, ...changes: readonly Change[]): string {
  const root = join(scratch, name);
  for (const path of ['src', '.prettierrc', 'package.json', '.github/workflows/ci.yml', 'test/consumers'])
    cpSync(join(ROOT, path), join(root, path), { recursive: true });
  for (const [file, from, to] of changes) {
    const text = readFileSync(join(root, file), 'utf8');
    expect(text).toContain(from);
    writeFileSync(join(root, file), text.replace(from, to));
  }
  return root;
}

test('the generated pages are those that the sources give. If not, run: npm run reference', () => {
  const pages = generate(ROOT, 'pages');
  const stored = pagesOf(join(ROOT, 'docs/reference')).map(page => `reference/${page}`);
  expect(stored).toHaveLength(6);
  expect([...pages.keys()].toSorted()).toEqual(['compatibility.md', ...stored].toSorted());
  for (const [page, text] of pages) {
    const remedy = `docs/${page} is out of date. Run: npm run reference`;
    const isCurrent = readFileSync(join(ROOT, 'docs', page), 'utf8').replaceAll('\r\n', '\n') === text;
    expect(isCurrent ? '' : remedy).toBe('');
  }
});

describe('makes pages of what changes', () => {
  const EVENT: Change = [
    'src/events/security-events.ts',
    'export interface SecurityEventMap {',
    "$&\n  /** A planted event. */\n  'planted.event': {\n    /** Its field. */\n    readonly seed: number;\n  };",
  ];
  const CHECK: Change = [
    'src/check/checks/deploy-checks.ts',
    "title: 'Debug output is on.'",
    "title: 'Planted.'",
  ];
  const JOB: Change = [
    '.github/workflows/ci.yml',
    'jobs:\n',
    `$&
  planted:
    name: the package in \${{ matrix.app }} on \${{ matrix.os }}
    runs-on: \${{ matrix.os }}
    strategy:
      matrix:
        app: [bun, vitest]
        os: [ubuntu-latest]
        include:
          - { app: vitest, node: 22 }
          - { app: jest, os: windows-latest, node: 20, nest: 11 }
    steps:
      - uses: actions/setup-node@0 # v6.0.0
        with: { node-version: '\${{ matrix.node }}' }
`,
  ];
  let pages: Map<string, string>;
  beforeAll(() => {
    pages = generate(change('changed', EVENT, CHECK, JOB), 'changed-pages');
  });

  test('a docstring', () => {
    const text = '## `planted.event`\n\nA planted event.\n\n- `seed` (`number`): Its field.';
    expect(pages.get('reference/events.md')).toContain(text);
  });

  test('a job of CI that is added, with a matrix, has rows of its own', () => {
    const rows = pages
      .get('compatibility.md')!
      .split('\n')
      .filter(line => line.includes('the package in'))
      .map(line => line.replace(/ +/g, ' '));
    expect(rows).toEqual([
      '| the package in bun on ubuntu-latest | ubuntu | | 12 |',
      '| the package in vitest on ubuntu-latest | ubuntu | 22 | 12 |',
      '| the package in jest on windows-latest | windows | 20 | 11 |',
    ]);
  });

  test('a check', () => {
    expect(pages.get('reference/checks.md')).toContain('### `ASEC-C050`\n\nPlanted.\n');
  });
});

test.each([
  ['a risk without a row', "'ASEC-C013',", "'ASEC-C999',", 'src/body/body.feature.ts', /ASEC-C999/],
  ['a second row of an ID', "'ASEC-C051'", "'ASEC-C050'", 'src/check/checks/deploy-checks.ts', /the same ID/],
  [
    'a check without a reason',
    "why: 'the flaw and its fix are public',",
    '',
    'src/check/checks/deploy-checks.ts',
    /reason/,
  ],
])('%s stops the script', (title, from, to, file, message) => {
  const root = change(title, [file, from, to]);
  expect(() => generate(root, `${title} pages`)).toThrow(message);
});

test.each([
  [
    'a problem code that ProblemCodes does not describe',
    'export type ProblemCode = keyof ProblemCodes;',
    "$&export const PLANTED = { code: 'planted_code' };",
    /Describe in ProblemCodes.*planted_code/,
  ],
  [
    'a described problem code that nothing answers with',
    'host_invalid: 400;',
    '$& /** Planted. */ planted_code: 400;',
    /Remove from ProblemCodes.*planted_code/,
  ],
])('%s stops the script', (title, from, to, message) => {
  const root = change(title, ['src/common/problem-codes.ts', from, to]);
  expect(() => generate(root, `${title} pages`)).toThrow(message);
});

test('llms.txt is what the sidebar, the README and the reference give. If not, run: npm run reference', () => {
  const out = join(scratch, 'llms.txt');
  execFileSync(process.execPath, [join(ROOT, 'scripts/generate-llms.mjs'), '--out', out]);
  const text = readFileSync(join(ROOT, 'llms.txt'), 'utf8').replaceAll('\r\n', '\n');
  expect(text).toBe(readFileSync(out, 'utf8'));
  // The form of https://llmstxt.org: one title, a quoted summary, sections of links.
  expect(text).toMatch(/^# .+\n\n> .+\n/);
  const [, ...sections] = text.split(/^## .+$/m);
  expect(sections.join('').match(/^(?!- \[[^\]]+\]\([^)]+\): .+$).+$/gm)).toBeNull();
  const pages = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md') && !name.startsWith('.vitepress'))
    .map(name => `docs/${name.replaceAll('\\', '/')}`);
  expect(pages.filter(page => !text.includes(`](${page})`))).toEqual([]);
});

test('SKILL.md has the front matter of a skill', () => {
  const [, head, body] = readFileSync(join(ROOT, 'SKILL.md'), 'utf8').split(/^---$/m);
  const [name, description] = head!.trim().split(/\ndescription: >-\n/);
  expect(name).toBe('name: nestjs-agent-security');
  expect(description!.replace(/\s+/g, ' ').length).toBeLessThanOrEqual(1024);
  expect(body!.split('\n').length).toBeLessThanOrEqual(200);
});
