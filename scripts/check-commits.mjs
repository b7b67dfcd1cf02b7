/*
 * Checks that commits have subjects of Conventional Commits, as CONTRIBUTING.md describes them; merges do not count.
 *   node scripts/check-commits.mjs                 the commits since the last tag, at most the last 20
 *   node scripts/check-commits.mjs main..HEAD      the commits of a range
 *   node scripts/check-commits.mjs -               subjects on the standard input, one a line
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const MAX_LENGTH = 110;
const TYPES = ['feat', 'fix', 'perf', 'refactor', 'docs', 'test', 'style', 'build', 'ci', 'chore', 'revert'];
const SUBJECT = new RegExp(`^(?:${TYPES.join('|')})(?:\\([a-z0-9][a-z0-9-]*\\))?!?: \\S.*$`);

/** @returns what is wrong with a subject, or `undefined` */
function problemOf(subject) {
  if (!SUBJECT.test(subject)) return `is not "type(scope): subject" with a type of ${TYPES.join(', ')}`;
  if (subject.length > MAX_LENGTH) return `has ${subject.length} characters, more than ${MAX_LENGTH}`;
  return subject.endsWith('.') ? 'ends with a full stop' : undefined;
}

const git = (...args) =>
  execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

function recent() {
  try {
    return ['--max-count=20', `${git('describe', '--tags', '--abbrev=0')}..HEAD`];
  } catch {
    return ['--max-count=20', 'HEAD'];
  }
}

const [range] = process.argv.slice(2);
const text =
  range === '-'
    ? readFileSync(0, 'utf8')
    : git('log', '--no-merges', '--format=%s', ...(range === undefined ? recent() : [range, '--']));
const subjects = text.split('\n').filter(subject => subject !== '');
const problems = subjects.flatMap(subject => {
  const problem = problemOf(subject);
  return problem === undefined ? [] : [`${JSON.stringify(subject)} ${problem}.`];
});
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.stdout.write(`${subjects.length} subjects, ${problems.length} wrong\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
