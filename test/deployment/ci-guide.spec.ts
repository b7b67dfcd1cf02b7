/* The workflows of docs/guides/ci.md: valid YAML, with commands and options that the command line has. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { FORMATS } from '../../src/check/formats/formats.js';
import { SEVERITIES } from '../../src/check/finding.js';

const ROOT = resolve(__dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const GUIDE = read('docs/guides/ci.md');
const BLOCKS = [...GUIDE.matchAll(/^```yaml title=(\S+)\n([^]*?)^```$/gm)].map(([, title, text]) => [
  title!,
  parse(text!),
]) as [string, any][];
const WORKFLOWS = BLOCKS.filter(([title]) => !title.startsWith('.gitlab'));
const COMMANDS = [...GUIDE.matchAll(/npx nestjs-agent-security (\w+)(.*?)(?: > [\w.]+)?(?:`|$)/gm)].map(
  ([, command, options]): [string, string[]] => [command!, options!.trim().split(/\s+/)],
);

test('the blocks and the commands are found', () => {
  expect(WORKFLOWS).toHaveLength(3);
  expect(BLOCKS).toHaveLength(4);
  expect(new Set(COMMANDS.map(([command]) => command))).toEqual(new Set(['check', 'scan']));
});

describe.each(WORKFLOWS)('%s', (_title, workflow) => {
  const jobs = Object.values<any>(workflow.jobs);
  const steps = jobs.flatMap(job => job.steps);

  it('may only read, unless it uploads, and bounds its time', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    const uploads = steps.some(({ uses }) => uses?.includes('upload-sarif'));
    expect(jobs.map(job => job.permissions)).toEqual([
      uploads ? { contents: 'read', 'security-events': 'write' } : undefined,
    ]);
    expect(jobs.map(job => job['timeout-minutes'])).toEqual([10]);
  });

  it('uses actions in the major versions of the own workflows', () => {
    const own = readdirSync(join(ROOT, '.github/workflows')).map(name => read(`.github/workflows/${name}`));
    const majors = own.flatMap(text =>
      [...text.matchAll(/uses: (\w[\w-]*\/[\w-]+)\S*@\S+ # (v\d+)/g)].map(
        ([, name, major]) => `${name}@${major}`,
      ),
    );
    const used = steps.flatMap(({ uses }) => uses?.replace(/^(\w[\w-]*\/[\w-]+)\S*@/, '$1@') ?? []);
    expect(used).not.toEqual([]);
    expect(used.filter((action: string) => !majors.includes(action))).toEqual([]);
  });
});

test('GitLab gets a report of the file that the command writes, also where there are findings', () => {
  const [, { security }] = BLOCKS.at(-1)!;
  expect(security.script.at(-1)).toContain(`> ${security.artifacts.reports.junit}`);
  expect(security.artifacts.when).toBe('always');
});

describe.each(COMMANDS)('%s %j', (command, words) => {
  const file = `src/cli/${command}-command.ts`;
  // `scan` is checked as soon as it is there.
  const usage = existsSync(join(ROOT, file)) ? read(file) : '';
  const options = words.filter(word => word.startsWith('--'));
  const valueOf = (option: string): string | undefined => words[words.indexOf(option) + 1];

  it('has these options', () => {
    const missing = options.filter(option => !usage.includes(`${option} `) && !usage.includes(`${option}]`));
    expect(usage === '' ? [] : missing).toEqual([]);
  });

  it('takes these values', () => {
    expect([...FORMATS.keys(), undefined]).toContain(
      options.includes('--format') ? valueOf('--format') : undefined,
    );
    const level = options.includes('--fail-level') ? valueOf('--fail-level') : undefined;
    expect([...SEVERITIES, undefined]).toContain(level);
  });
});
