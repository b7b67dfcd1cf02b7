/* docs/reference holds what scripts/generate-reference.mjs makes of the docstrings and codes in src. */
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

/** The pages that the script writes for a copy of the repository, by name. */
function generate(root: string, name: string): Map<string, string> {
  const out = join(scratch, name);
  execFileSync(process.execPath, [SCRIPT, '--root', root, '--out', out], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return new Map(readdirSync(out).map(page => [page, readFileSync(join(out, page), 'utf8')]));
}

/** A copy of src in which a text is replaced. */
function change(name: string, file: string, from: string, to: string): string {
  const root = join(scratch, name);
  cpSync(join(ROOT, 'src'), join(root, 'src'), { recursive: true });
  cpSync(join(ROOT, '.prettierrc'), join(root, '.prettierrc'));
  const text = readFileSync(join(root, 'src', file), 'utf8');
  expect(text).toContain(from);
  writeFileSync(join(root, 'src', file), text.replace(from, to));
  return root;
}

test('the pages of docs/reference are those that the docstrings give. If not, run: npm run reference', () => {
  const pages = generate(ROOT, 'pages');
  const stored = join(ROOT, 'docs/reference');
  expect([...pages.keys()].toSorted()).toEqual([
    'checks.md',
    'decorators.md',
    'errors.md',
    'events.md',
    'options.md',
  ]);
  expect(readdirSync(stored).toSorted()).toEqual([...pages.keys()].toSorted());
  for (const [page, text] of pages) {
    const remedy = `docs/reference/${page} is out of date. Run: npm run reference`;
    const isCurrent = readFileSync(join(stored, page), 'utf8').replaceAll('\r\n', '\n') === text;
    expect(isCurrent ? '' : remedy).toBe('');
  }
});

test('a docstring that changes makes its page differ', () => {
  const root = change(
    'changed',
    'events/security-events.ts',
    'export interface SecurityEventMap {',
    "$&\n  /** A planted event. */\n  'planted.event': {\n    /** Its field. */\n    readonly seed: number;\n  };",
  );
  const events = generate(root, 'changed-pages').get('events.md');
  expect(events).toContain('## `planted.event`\n\nA planted event.\n\n- `seed` (`number`): Its field.');
});

test('a check that changes makes its page differ', () => {
  const root = change(
    'check',
    'check/checks/deploy-checks.ts',
    "title: 'Debug output is on.'",
    "title: 'Planted.'",
  );
  expect(generate(root, 'check-pages').get('checks.md')).toContain('### `ASEC-C050`\n\nPlanted.\n');
});

test.each([
  ['a risk without a row', "'ASEC-C013',", "'ASEC-C999',", 'body/body.feature.ts', /ASEC-C999/],
  ['a second row of an ID', "'ASEC-C051'", "'ASEC-C050'", 'check/checks/deploy-checks.ts', /the same ID/],
  [
    'a check without a reason',
    "why: 'the flaw and its fix are public',",
    '',
    'check/checks/deploy-checks.ts',
    /reason/,
  ],
])('%s stops the script', (title, from, to, file, message) => {
  const root = change(title, file, from, to);
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
  const root = change(title, 'common/problem-codes.ts', from, to);
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
