/* What does the whole stack cost: requests a second, latency and CPU time, beside a bare app and beside other stacks? */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { CAN_PIN, HAS_WRK } from './support/child.mjs';
import { fixed, median, percent, printTable, ratio, spread, whole } from './support/figures.mjs';
import { load, LOADS } from './support/load.mjs';
import { alternate, measure } from './support/measure.mjs';
import { readOptions, select } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';

const options = readOptions({ rounds: 5, seconds: 5 });
const WARM_UP_SECONDS = 2;
const PLATFORMS = ['fastify', 'express'];
const GROWTH_SLICES = 4;
const GROWTH_ROUNDS = 2;

const GRANTED = [
  { variant: 'bare' },
  { variant: 'assembled' },
  { variant: 'assembled-plugins', only: 'fastify' },
  { variant: 'assembled-3-limits' },
  { variant: 'nest' },
  { variant: 'floor' },
  { variant: 'ours' },
];

/** One client over its limit; the bare app's 200s are what a rejection is compared with. */
const REJECTED = [
  { variant: 'bare' },
  { variant: 'assembled', limit: 10 },
  { variant: 'assembled-10000', stack: 'assembled', limit: 10_000 },
  { variant: 'nest', limit: 10 },
  { variant: 'floor', limit: 10 },
  { variant: 'ours', limit: 10, rejectedBy: 'module' },
  { variant: 'ours-10000', stack: 'ours', limit: 10_000, rejectedBy: 'module' },
  { variant: 'ours-route', stack: 'ours', limit: 10, rejectedBy: 'route' },
  { variant: 'ours-guard', stack: 'ours', limit: 10, rejectedBy: 'guard' },
  { variant: 'ours-flood', stack: 'ours', limit: 10, rejectedBy: 'flood' },
].map(run => ({ ...run, oneClient: true }));

const GROWTH = ['bare', 'assembled', 'floor', 'ours'].map(variant => ({
  variant,
  limit: 1_000_000,
  oneClient: true,
}));

const QUESTIONS = {
  get: { title: 'GET', variants: GRANTED, requests: LOADS.get },
  post: { title: 'POST, 1 kB of JSON', variants: GRANTED, requests: LOADS.post },
  rejected: { title: 'every answer a 429', variants: REJECTED, requests: LOADS.get },
  growth: { title: 'one client, 1,000,000 a minute', variants: GROWTH, requests: LOADS.get },
};

const runs = Object.entries(QUESTIONS).flatMap(([question, { variants }]) =>
  PLATFORMS.flatMap(platform =>
    variants
      .filter(({ only = platform }) => only === platform)
      .map(run => ({ stack: run.variant, ...run, question, platform })),
  ),
);

prepare();
if (options.smoke) await smoke();
else await full(select(runs, options.only, ['question', 'platform', 'variant']));

async function full(selected) {
  console.log(`\n## The whole stack\n`);
  console.log(
    `Node ${process.versions.node}, ${HAS_WRK ? 'wrk' : 'autocannon'} with 64 connections, ` +
      `${CAN_PIN ? 'server and load on a core each' : 'server and load NOT on cores of their own'}; ` +
      `${options.rounds} rounds of ${options.seconds} s, medians.`,
  );
  for (const [question, { title, requests }] of Object.entries(QUESTIONS)) {
    for (const platform of PLATFORMS) {
      const group = selected.filter(run => run.question === question && run.platform === platform);
      if (group.length === 0) continue;
      const name = `${platform === 'fastify' ? 'Fastify' : 'Express'}, ${title}`;
      if (question === 'growth') await measureGrowth(name, group, requests);
      else await measureStacks(name, group, requests);
    }
  }
}

async function measureStacks(title, group, requests) {
  const plan = { requests, warmUpSeconds: WARM_UP_SECONDS, seconds: options.seconds };
  const results = await alternate(group, options.rounds, async run => {
    const untilRejected = run.question === 'rejected' && run.limit !== undefined;
    return (await measure(run, { ...plan, untilRejected }))[0];
  });
  const of = (run, read) => results.get(run).map(read);
  const perSecond = variant => {
    const run = group.find(candidate => candidate.variant === variant);
    return run && median(of(run, result => result.perSecond));
  };
  const [bare, assembled] = [perSecond('bare'), perSecond('assembled')];
  printTable(
    title,
    [
      'stack',
      'requests/s',
      'spread',
      '× bare',
      '× assembled',
      'p50 ms',
      'p99 ms',
      'CPU µs a request',
      'rejected',
    ],
    group.map(run => {
      const rates = of(run, result => result.perSecond);
      return [
        run.variant,
        whole(median(rates)),
        percent(spread(rates)),
        ratio(median(rates), bare),
        ratio(median(rates), assembled),
        fixed(median(of(run, result => result.p50Ms)), 2),
        fixed(median(of(run, result => result.p99Ms)), 2),
        fixed(median(of(run, result => result.cpuUs)), 1),
        rejectedText(Math.max(...of(run, result => result.rejected))),
      ];
    }),
  );
}

async function measureGrowth(title, group, requests) {
  const plan = { requests, warmUpSeconds: 1, seconds: options.seconds, slices: GROWTH_SLICES };
  const rounds = Math.min(options.rounds, GROWTH_ROUNDS);
  const results = await alternate(group, rounds, run => measure(run, plan));
  const spans = Array.from(
    { length: GROWTH_SLICES },
    (_, slice) => `${slice * options.seconds}–${(slice + 1) * options.seconds} s`,
  );
  printTable(
    title,
    ['stack', ...spans, 'last × first', 'rejected'],
    group.map(run => {
      const rates = spans.map((_, slice) => median(results.get(run).map(slices => slices[slice].perSecond)));
      const rejected = Math.max(...results.get(run).flatMap(slices => slices.map(slice => slice.rejected)));
      return [run.variant, ...rates.map(whole), ratio(rates.at(-1), rates[0]), rejectedText(rejected)];
    }),
  );
}

function rejectedText(share) {
  return share === 0 ? '0' : `${(share * 100).toFixed(1)} %`;
}

/** Every stack answers as it should, the floor sends what the module sends, and one run goes all the way. */
async function smoke() {
  const { createApp } = await import('./support/app.mjs');
  const headerNames = new Map();
  const servers = runs.filter(({ question }) => question === 'get' || question === 'rejected');
  for (const server of servers) {
    const app = await createApp(server);
    await app.listen(0, '127.0.0.1');
    const { statuses, names } = await tryOut(app.getHttpServer().address().port, server.limit);
    await app.close();
    headerNames.set(`${server.platform} ${server.variant}`, names);
    const expected = server.limit === 10 ? 'GET 429' : 'GET 200, POST 201';
    if (statuses !== expected) {
      throw new Error(`${server.platform} ${server.variant} answered ${statuses} in place of ${expected}`);
    }
  }
  for (const platform of PLATFORMS) {
    const [floor, ours] = ['floor', 'ours'].map(variant => headerNames.get(`${platform} ${variant}`));
    if (floor !== ours) throw new Error(`The floor's headers are not ours.\nfloor: ${floor}\nours:  ${ours}`);
  }
  console.log(`\nstack: ${servers.length} servers answer as they should`);
  for (const requests of Object.values(LOADS)) await checkLoad(requests);
  const plan = { requests: LOADS.post, warmUpSeconds: 0, seconds: 1 };
  const [result] = await measure({ platform: 'fastify', stack: 'ours' }, plan);
  printTable(
    'Fastify, POST, ours (smoke)',
    ['requests/s', 'CPU µs a request'],
    [[whole(result.perSecond), fixed(result.cpuUs, 1)]],
  );
}

/** The load is made of the requests that it should be. */
async function checkLoad(requests) {
  const [expected] = requests;
  const wrong = new Set();
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const { method, url } = request;
    if (method !== expected.method || url !== expected.path || body !== (expected.body ?? '')) {
      wrong.add(`${method} ${url} with ${body.length} characters`);
    }
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await load(server.address().port, requests, 1);
  server.close();
  if (wrong.size > 0) throw new Error(`${expected.method} ${expected.path} came as ${[...wrong].join(', ')}`);
}

/** Exhausts a limit of 10, or sends a GET and a POST. */
async function tryOut(port, limit) {
  const send = async request => {
    const response = await fetch(`http://127.0.0.1:${port}`, request);
    await response.arrayBuffer();
    return response;
  };
  let response = await send();
  if (limit === 10) {
    for (let left = limit; left > 0; left--) response = await send();
  }
  const names = [...response.headers.keys()].join(' ');
  if (limit === 10) return { statuses: `GET ${response.status}`, names };
  const [{ method, headers, body }] = LOADS.post;
  const posted = await send({ method, headers, body });
  return { statuses: `GET ${response.status}, POST ${posted.status}`, names };
}
