/* What does the module add to the start of an app, and does a request cost more with more hosts, origins or routes? */
import { HAS_WRK, SERVER_CORE, startNode } from './support/child.mjs';
import { fixed, median, percent, printTable, ratio, spread, whole } from './support/figures.mjs';
import { alternate, measure } from './support/measure.mjs';
import { readOptions, select } from './support/options.mjs';
import { LOADS, prepare, preparePublished } from './support/prepare.mjs';

const options = readOptions({ rounds: 9, seconds: 3 });
const WARM_UP_SECONDS = 1;
const PLATFORMS = ['fastify', 'express'];
const MANY = 1_000;

const hosts = count => Array.from({ length: count }, (_, index) => `h${index}.example.com`);
const origins = count => hosts(count).map(host => `https://${host}`);
const get = headers => ({ method: 'GET', path: '/', headers });

/** Two hosts in turn, so that the memory of the last one does not answer. */
const hostRequests = count => ['h0.example.com', `h${count - 1}.example.com`].map(Host => get({ Host }));
const originRequests = count => [get({ Origin: `https://h${count - 1}.example.com` })];

const START = PLATFORMS.flatMap(platform =>
  [1, MANY].flatMap(routes =>
    ['bare', 'ours'].map(stack => ({ question: 'start', platform, stack, routes })),
  ),
);

/** Each pair differs in one number. */
const SCALE = PLATFORMS.flatMap(platform =>
  [
    [2, MANY].map(count => ({ of: 'hosts', count, hosts: hosts(count), requests: hostRequests(count) })),
    [1, MANY].map(count => ({
      of: 'origins',
      count,
      origins: origins(count),
      requests: originRequests(count),
    })),
    [1, MANY].map(count => ({ of: 'routes', count, routes: count, requests: [get({})] })),
    [1, MANY].map(count => ({ of: 'routes', count, routes: count, requests: [get({})], stack: 'bare' })),
  ].flatMap(pair => pair.map(run => ({ stack: 'ours', ...run, question: 'scale', platform }))),
);

const LOAD = LOADS.map(run => ({ question: 'load', ...run }));

prepare();
if (options.smoke) await smoke();
else await full(select([...START, ...LOAD, ...SCALE], options.only, ['question', 'platform', 'stack', 'of']));

async function full(selected) {
  console.log(`\n## Start-up and scale\n`);
  console.log(`Node ${process.versions.node}; ${options.rounds} rounds, medians.`);
  const start = selected.filter(run => run.question === 'start');
  if (start.length > 0) await measureStart(start);
  if (selected.some(run => run.question === 'load')) await measureLoad();
  for (const platform of PLATFORMS) {
    const scale = selected.filter(run => run.question === 'scale' && run.platform === platform);
    if (scale.length > 0) await measureScale(platform, scale);
  }
}

async function inProcess(script, settings, flags) {
  const child = startNode(SERVER_CORE, script, settings, flags);
  try {
    return await child.next();
  } finally {
    await child.stop();
  }
}

async function measureStart(group) {
  const results = await alternate(group, options.rounds, run => inProcess('./startup-process.mjs', run));
  const startMs = run => median(results.get(run).map(result => result.startMs));
  printTable(
    'Start of an app, from NestFactory.create() to listening',
    ['platform', 'routes', 'stack', 'ms', 'spread', 'more than bare, ms'],
    group.map(run => {
      const bare = group.find(
        other => other.stack === 'bare' && other.platform === run.platform && other.routes === run.routes,
      );
      return [
        run.platform,
        whole(run.routes),
        run.stack,
        fixed(startMs(run), 1),
        percent(spread(results.get(run).map(result => result.startMs))),
        run === bare || bare === undefined ? '–' : fixed(startMs(run) - startMs(bare), 1),
      ];
    }),
  );
}

function loadInProcess(run) {
  return inProcess('./package-load-process.mjs', run, ['--expose-gc']);
}

/** At least 11 pairs: loading takes milliseconds, and so does what else the machine does. */
async function measureLoad() {
  preparePublished();
  const results = await alternate(LOADS, Math.max(options.rounds, 11), loadInProcess);
  const valuesOf = (run, key) => results.get(run).map(result => result[key]);
  const ofFirst = (run, key) =>
    median(valuesOf(run, key).map((value, pair) => value / valuesOf(LOADS[0], key)[pair]));
  printTable(
    'Loading the package, with Nest already loaded',
    ['folder', 'CPU ms', 'spread', '× of dist', 'MB of heap', '× of dist'],
    LOADS.map(run => [
      run.folder,
      fixed(median(valuesOf(run, 'loadMs')), 1),
      percent(spread(valuesOf(run, 'loadMs'))),
      fixed(ofFirst(run, 'loadMs'), 2),
      fixed(median(valuesOf(run, 'loadBytes')) / 1e6, 1),
      fixed(ofFirst(run, 'loadBytes'), 2),
    ]),
  );
}

async function measureScale(platform, group) {
  const rounds = Math.min(options.rounds, 5);
  const measured = HAS_WRK ? group : group.filter(run => run.of !== 'hosts');
  if (measured.length < group.length) console.error('bench: hosts in turn need wrk; left out');
  const results = await alternate(measured, rounds, async run => {
    const plan = { requests: run.requests, warmUpSeconds: WARM_UP_SECONDS, seconds: options.seconds };
    return (await measure(run, plan))[0];
  });
  const cpuUs = run => median(results.get(run).map(result => result.cpuUs));
  printTable(
    `${platform === 'fastify' ? 'Fastify' : 'Express'}: cost of a request with many hosts, origins or routes`,
    ['stack', 'how many', 'requests/s', 'CPU µs a request', 'spread', '× CPU with the fewest', 'rejected'],
    measured.map(run => {
      const fewest = measured.find(other => other.of === run.of && other.stack === run.stack);
      const rejected = Math.max(...results.get(run).map(result => result.rejected));
      return [
        run.stack,
        `${whole(run.count)} ${run.of}`,
        whole(median(results.get(run).map(result => result.perSecond))),
        fixed(cpuUs(run), 1),
        percent(spread(results.get(run).map(result => result.cpuUs))),
        ratio(cpuUs(run), cpuUs(fewest)),
        rejected === 0 ? '0' : `${(rejected * 100).toFixed(1)} %`,
      ];
    }),
  );
}

/** The largest app of each kind starts and answers. */
async function smoke() {
  const { startMs } = await inProcess('./startup-process.mjs', START.at(-1));
  const { loadMs } = await loadInProcess(LOADS[0]);
  const { createApp } = await import('./support/app.mjs');
  const { get: request } = await import('node:http');
  for (const run of SCALE) {
    const app = await createApp(run);
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address();
    for (const { headers } of run.requests) {
      const status = await new Promise((resolve, reject) => {
        request({ port, host: '127.0.0.1', headers }, response => {
          response.resume();
          resolve(response.statusCode);
        }).on('error', reject);
      });
      if (status !== 200) throw new Error(`${run.platform} with ${run.count} ${run.of} answered ${status}`);
    }
    await app.close();
  }
  printTable(
    'Start-up (smoke)',
    ['start of Express with 1,000 routes, ms', 'loading the package, CPU ms'],
    [[fixed(startMs, 1), fixed(loadMs, 1)]],
  );
}
