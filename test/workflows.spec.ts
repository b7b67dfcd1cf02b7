/* The GitHub workflows. Their syntax is checked by `npm run lint`, whose formatter parses them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '..');
const FOLDER = join(ROOT, '.github/workflows');
const WORKFLOWS = readdirSync(FOLDER).map((name): [string, string] => [
  name,
  readFileSync(join(FOLDER, name), 'utf8'),
]);
const { scripts, peerDependencies, peerDependenciesMeta } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
) as Record<'scripts' | 'peerDependencies' | 'peerDependenciesMeta', Record<string, string>>;

test('the workflows are found', () => {
  expect(WORKFLOWS.map(([name]) => name)).toEqual(['ci.yml', 'codeql.yml', 'release.yml']);
});

test('each consumer project is a job', () => {
  const projects = readdirSync(join(ROOT, 'test/consumers')).filter(name => name !== 'shared');
  const [, ci] = WORKFLOWS.find(([name]) => name === 'ci.yml')!;
  const [, listed] = /^ +project:\s+\[([^\]]+)\]/m.exec(ci)!;
  expect(listed!.split(',').map(name => name.trim())).toEqual(expect.arrayContaining(projects));
});

/** A bundler fails on a package that is imported and not installed, unless it is external. */
test('the guide and the projects of bundlers name each optional package that the source imports', () => {
  const source = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => readFileSync(join(ROOT, 'src', name), 'utf8'))
    .join('\n')
    .replaceAll(/^import type [^;]+;/gm, '')
    .replaceAll(/typeof import\('[^']+'\)/g, '');
  const imported = Object.keys(peerDependenciesMeta).filter(
    name => source.includes(`from '${name}'`) || source.includes(`import('${name}')`),
  );
  expect(imported.length).toBeGreaterThan(3);
  const guide = readFileSync(join(ROOT, 'docs/guides/deployment.md'), 'utf8');
  const [, listed] = /does not install as external: ([^.]+)\./.exec(guide)!;
  expect(listed!.match(/[^`]+(?=`(?:,|$))/g)!.toSorted()).toEqual(imported.toSorted());
  for (const file of ['esbuild-lambda/build.mjs', 'rspack/rspack.config.mjs', 'webpack/webpack.config.mjs']) {
    const config = readFileSync(join(ROOT, 'test/consumers', file), 'utf8');
    const [, pattern] = /optional =\s+\/(.+)\/;/.exec(config) ?? [];
    const isExternal = (name: string): boolean =>
      pattern === undefined ? config.includes(`'${name}'`) : new RegExp(pattern).test(name);
    expect(imported.filter(name => !isExternal(name))).toEqual([]);
  }
});

test('the lowest and the newest supported version of each major of Nest is a job', () => {
  const ranges = Object.entries(peerDependencies)
    .filter(([name]) => name.startsWith('@nestjs/') && name !== '@nestjs/config')
    .map(([, range]) => range);
  expect(new Set(ranges).size).toBe(1);
  const lowest = ranges[0]!.split(' || ').map(part => part.replace('^', ''));
  const versions = lowest.flatMap(version => [`'${version}'`, `'${version.split('.')[0]}'`]);
  const [, ci] = WORKFLOWS.find(([name]) => name === 'ci.yml')!;
  expect(ci).toContain(`nest: [${versions.join(', ')}]`);
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  expect(readme).toContain(`NestJS ${lowest[0]} or newer, or ${lowest[1]} or newer;`);
});

/** The lines of each job, by its name. */
function jobsOf(text: string): [string, string][] {
  const [, jobs] = text.split(/^jobs:\n/m);
  return jobs!
    .split(/^ {2}(?=[\w-]+:\n)/m)
    .filter(job => job.trim() !== '')
    .map(job => [job.split(':')[0]!, job]);
}

describe.each(WORKFLOWS)('%s', (_name, text) => {
  test('pins each action by the SHA of a commit, and names its version', () => {
    const uses = [...text.matchAll(/uses: (.*)$/gm)].map(([, action]) => action!);
    expect(uses).not.toEqual([]);
    expect(uses.filter(action => !/^[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(action))).toEqual([]);
  });

  test('pins an action everywhere by the same SHA', () => {
    const pins = WORKFLOWS.flatMap(([, other]) => [...other.matchAll(/uses: ([\w-]+\/[\w-]+)[^@]*@(\S+)/g)]);
    const shas = new Map<string, Set<string>>();
    for (const [, action, sha] of pins) shas.set(action!, (shas.get(action!) ?? new Set()).add(sha!));
    expect([...shas].filter(([, set]) => set.size > 1)).toEqual([]);
  });

  test('may only read, unless a job says otherwise', () => {
    expect(text).toMatch(/^permissions:\n {2}contents: read\n(?! )/m);
    expect(text).not.toMatch(/write-all|contents: write|pull_request_target/);
  });

  test('bounds the time of each job', () => {
    const jobs = jobsOf(text);
    expect(jobs).not.toEqual([]);
    expect(jobs.filter(([, job]) => !/^ {4}timeout-minutes: \d+$/m.test(job)).map(([name]) => name)).toEqual(
      [],
    );
  });

  test('leaves no credentials behind a checkout', () => {
    const checkouts = text.split('uses: actions/checkout@').slice(1);
    expect(
      checkouts.filter(step => !step.split(/^ {6}- /m)[0]!.includes('persist-credentials: false')),
    ).toEqual([]);
  });

  test('runs scripts that package.json has, and puts no expression into a command', () => {
    const names = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script!);
    expect(names.filter(script => scripts[script] === undefined)).toEqual([]);
    expect(text).not.toMatch(/run: .*\$\{\{/);
  });
});
