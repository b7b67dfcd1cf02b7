/* docs/compatibility.md: the supported versions, from package.json, and the tested ones, from the jobs of CI. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export function compatibilityPage(_source, root) {
  const read = file => readFileSync(join(root, file), 'utf8');
  const manifest = JSON.parse(read('package.json'));
  return {
    supported: supported(manifest),
    tested: tested(parse(read('.github/workflows/ci.yml')), major(manifest.devDependencies), project =>
      major(JSON.parse(read(`test/consumers/${project}/package.json`)).dependencies),
    ),
  };
}

function supported({ engines, peerDependencies, peerDependenciesMeta }) {
  return table(
    ['what', 'versions', 'needed'],
    [
      ['Node.js', versions(engines.node), 'always'],
      ...Object.entries(peerDependencies).map(([name, range]) => [
        `\`${name}\``,
        versions(range),
        peerDependenciesMeta[name]?.optional ? 'where the app uses it' : 'always',
      ]),
    ],
  );
}

/** Without `||`, which a cell of a table cannot hold. */
const versions = range =>
  range
    .replace(/[^|]+/g, part => ` \`${part.trim()}\` `)
    .replaceAll('||', 'or')
    .trim();

const major = dependencies => dependencies['@nestjs/core'].replace(/^\D*(\d+).*$/, '$1');

/** One row for each run of a job that has a matrix. A consumer project has a version of Nest of its own. */
function tested({ jobs }, locked, nestOf) {
  const matrices = Object.entries(jobs).filter(([, job]) => job.strategy?.matrix);
  const rows = matrices.flatMap(([id, job]) =>
    combinations(job.strategy.matrix).map(values => {
      const fill = text =>
        String(text).replace(/\$\{\{\s*matrix\.(\w+)\s*\}\}/g, (_all, key) => values[key] ?? '');
      const node = job.steps.map(({ with: given }) => given?.['node-version']).find(Boolean);
      return [
        fill(job.name ?? id),
        fill(job['runs-on']).replace('-latest', ''),
        node ? fill(node) : '',
        String(values.nest ?? (values.project ? nestOf(values.project) : locked)),
      ];
    }),
  );
  return table(['job', 'system', 'Node.js', 'NestJS'], rows);
}

/** The combinations of a matrix. An entry of `include` adds to those that it agrees with, or else is one of its own. */
function combinations({ include = [], ...axes }) {
  let all = Object.keys(axes).length === 0 && include.length > 0 ? [] : [{}];
  for (const [key, list] of Object.entries(axes))
    all = all.flatMap(values => list.map(value => ({ ...values, [key]: value })));
  const given = all.map(values => ({ ...values }));
  for (const entry of include) {
    const matching = all.filter((_values, index) =>
      Object.keys(axes).every(key => !(key in entry) || given[index]?.[key] === entry[key]),
    );
    if (matching.length === 0 || Object.keys(axes).length === 0) all.push({ ...entry });
    else for (const values of matching) Object.assign(values, entry);
  }
  return all;
}

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n');
