import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const ROOT = resolve(__dirname, '..');

function check(subjects: readonly string[]): { status: number | null; problems: string[]; summary: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/check-commits.mjs', '-'], {
    cwd: ROOT,
    input: subjects.join('\n'),
    encoding: 'utf8',
  });
  return { status, problems: stderr.split('\n').filter(Boolean), summary: stdout.trim() };
}

const GOOD = [
  'feat: add an option for the header of request IDs',
  'fix(host): reject an authority with userinfo',
  'refactor(rate-limit)!: rename judge to consume',
  'revert: "perf(edge): skip the check"',
  `docs: ${'x'.repeat(94)}`,
];

const BAD: readonly (readonly [string, string, string])[] = [
  ['no type', 'Reject an authority with userinfo', 'is not "type(scope): subject"'],
  ['an unknown type', 'feature(host): accept ports', 'is not "type(scope): subject"'],
  ['a type in upper case', 'Fix(host): accept ports', 'is not "type(scope): subject"'],
  ['no space behind the colon', 'fix(host):accept ports', 'is not "type(scope): subject"'],
  ['an empty scope', 'fix(): accept ports', 'is not "type(scope): subject"'],
  ['no subject', 'fix(host): ', 'is not "type(scope): subject"'],
  ["git's own text of a revert", 'Revert "fix(host): accept ports"', 'is not "type(scope): subject"'],
  ['111 characters', `docs: ${'x'.repeat(105)}`, 'has 111 characters, more than 110'],
  ['a full stop', 'fix(host): accept ports.', 'ends with a full stop'],
];

test('accepts subjects of Conventional Commits', () => {
  expect(check(GOOD)).toEqual({ status: 0, problems: [], summary: '5 subjects, 0 wrong' });
});

test.each(BAD)('rejects %s', (_title, subject, problem) => {
  const { status, problems } = check([GOOD[0]!, subject, GOOD[1]!]);
  expect(status).toBe(1);
  expect(problems).toEqual([expect.stringContaining(problem)]);
  expect(problems[0]).toContain(JSON.stringify(subject));
});
