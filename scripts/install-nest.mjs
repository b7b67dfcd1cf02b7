/*
 * Installs another version of Nest into node_modules, and versions that fit it of the packages around it. package.json and
 * package-lock.json stay as they are; `npm ci` undoes it. `NEST=11 .ci/run` runs it before the tests.
 *   node scripts/install-nest.mjs 11          the newest version of this major
 *   node scripts/install-nest.mjs 11.2.1      this version; where a package does not have it, its next one
 *   node scripts/install-nest.mjs 11 --print  prints the packages and installs nothing
 */
import { execFileSync } from 'node:child_process';

/** Peer dependencies, and packages that have the version numbers of Nest. */
const WITH_NEST = [
  'common',
  'core',
  'microservices',
  'platform-express',
  'platform-fastify',
  'platform-socket.io',
  'platform-ws',
  'swagger',
  'testing',
  'websockets',
].map(name => `@nestjs/${name}`);

/** The major of each other package that fits a major of Nest; always its newest version, since only tests use it. */
const OTHERS = {
  11: { apollo: 13, config: 4, graphql: 13, passport: 11, 'serve-static': 5 },
  12: { apollo: 14, config: 12, graphql: 14, passport: 12, 'serve-static': 12 },
};

const [wanted = '', flag] = process.argv.slice(2);
const [major] = wanted.split('.');
if (!/^\d+(?:\.\d+\.\d+)?$/.test(wanted) || !Object.hasOwn(OTHERS, major)) {
  process.stderr.write('usage: node scripts/install-nest.mjs 11|12|11.x.y|12.x.y [--print]\n');
  process.exit(2);
}

const npm = (args, stdio) => execFileSync('npm', args, { encoding: 'utf8', stdio });
const parts = version => version.split('.').map(Number);
const compare = (a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2];

/** @returns the version of a package of Nest itself: the wanted one, the next one after it, or the newest of the major */
function versionOf(name) {
  const versions = JSON.parse(npm(['view', name, 'versions', '--json']))
    .filter(version => /^\d+\.\d+\.\d+$/.test(version) && version.startsWith(`${major}.`))
    .toSorted((a, b) => compare(parts(a), parts(b)));
  if (wanted === major) return versions.at(-1);
  return versions.find(version => compare(parts(version), parts(wanted)) >= 0) ?? versions.at(-1);
}

const specs = [
  ...WITH_NEST.map(name => `${name}@${versionOf(name)}`),
  ...Object.entries(OTHERS[major]).map(([name, range]) => `@nestjs/${name}@${range}`),
];
process.stdout.write(`${specs.join('\n')}\n`);
// The packages of tests may name peer dependencies that this row replaces.
const quiet = ['--no-save', '--legacy-peer-deps', '--no-audit', '--no-fund'];
if (flag !== '--print') npm(['install', ...quiet, ...specs], 'inherit');
