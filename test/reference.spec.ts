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
  expect([...pages.keys()].toSorted()).toEqual(['decorators.md', 'errors.md', 'events.md', 'options.md']);
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
