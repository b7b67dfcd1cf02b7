/* What does one decision of the limiter cost in one process, in time and in memory, and does it ever pause? */
import { freemem } from 'node:os';
import { SERVER_CORE, startNode } from './support/child.mjs';
import { OURS_IN_PARTS } from './support/decision-parts.mjs';
import { fixed, median, percent, printTable, ratio, spread, whole } from './support/figures.mjs';
import { alternate } from './support/measure.mjs';
import { readOptions, select } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';

const options = readOptions({ rounds: 5, seconds: 1 });

const PEERS = ['throttler', 'rate-limiter-flexible', 'express-rate-limit', 'fastify-rate-limit', 'map'];
const OURS = ['ours', 'ours-address', 'ours-text', 'ours-headers'];

/** These hold only so many clients. */
const BOUNDED = new Set(['fastify-rate-limit', 'ours']);

/** Clients and limit of each table; the peers' costs but the throttler's do not depend on the limit. */
const SPEED = [
  { clients: 1_000, limit: 10 },
  { clients: 100_000, limit: 10 },
  { clients: 100_000, limit: 1_000 },
  { clients: 100_000, limit: 10_000 },
  { clients: 1_000_000, limit: 10 },
];

/** The throttler keeps 8 bytes a hit: so many hits fit. */
const MAX_LOGGED_HITS = 20_000_000;

const runs = [
  ...SPEED.flatMap(({ clients, limit }) =>
    [...PEERS, ...OURS].map(variant => ({
      question: 'speed',
      variant,
      limit,
      clients: variant === 'throttler' ? Math.min(clients, MAX_LOGGED_HITS / limit) : clients,
      windows: OURS.includes(variant) ? 2 : 1,
      scale: clients,
      table: `${whole(clients)} clients, limit ${whole(limit)}`,
    })),
  ),
  ...[1_000, 100_000, 1_000_000].flatMap(clients =>
    [...OURS_IN_PARTS, 'ours'].map(variant => ({
      question: 'parts',
      variant,
      clients,
      scale: clients,
      limit: 10,
      windows: 2,
    })),
  ),
  ...['throttler', 'ours'].flatMap(variant =>
    [1, 2, 3].map(windows => ({
      question: 'windows',
      variant,
      windows,
      clients: 100_000,
      scale: 100_000,
      limit: 10,
    })),
  ),
  ...[1_000_000, 10_000_000].flatMap(clients =>
    [...PEERS, 'ours'].map(variant => ({
      question: 'growth',
      variant,
      clients,
      scale: clients,
      limit: 10,
      windows: variant === 'ours' ? 2 : 1,
    })),
  ),
  ...[...PEERS, 'ours'].map(variant => ({
    question: 'flood',
    variant,
    clients: BOUNDED.has(variant) ? 10_000_000 : 1_000_000,
    scale: 'bound',
    limit: 10,
    windows: variant === 'ours' ? 2 : 1,
    // The defaults of the two that have a bound.
    maxClients: variant === 'ours' ? 250_000 : 5_000,
  })),
];

/** What a client takes with its key, for judging beforehand whether a run fits into memory. */
const BYTES_A_CLIENT = { throttler: 1_100, 'rate-limiter-flexible': 700, ours: 150 };
const BYTES_A_CLIENT_AT_MOST = 400;

prepare();
if (options.smoke) await smoke();
else {
  console.log(`\n## The limiter in one process\n`);
  console.log(`Node ${process.versions.node}; ${options.rounds} rounds, medians.`);
  await full(select(runs, options.only, ['question', 'variant', 'scale']).filter(fits));
}

function fits({ variant, clients, question }) {
  const needed = clients * (BYTES_A_CLIENT[variant] ?? BYTES_A_CLIENT_AT_MOST);
  if (needed < freemem() * 0.7) return true;
  console.error(`bench: ${question} ${variant} with ${clients} clients left out: too little memory`);
  return false;
}

async function full(selected) {
  for (const table of new Set(selected.filter(run => run.question === 'speed').map(run => run.table))) {
    await measureSpeed(
      table,
      selected.filter(run => run.table === table),
    );
  }
  const runsOf = question => selected.filter(run => run.question === question);
  if (runsOf('parts').length > 0) await measureParts(runsOf('parts'));
  if (runsOf('windows').length > 0) await measureWindows(runsOf('windows'));
  for (const clients of new Set(runsOf('growth').map(run => run.clients))) {
    await measureGrowth(
      clients,
      runsOf('growth').filter(run => run.clients === clients),
    );
  }
  if (runsOf('flood').length > 0) await measureFlood(runsOf('flood'));
}

async function measureSpeed(title, group) {
  const results = await alternate(group, options.rounds, run => inProcess(run, 'speed'));
  const nanoseconds = run => median(results.get(run).map(({ ns }) => ns));
  const peers = group.filter(({ variant }) => PEERS.includes(variant));
  const packages = peers.filter(({ variant }) => variant !== 'map');
  const best = packages.length === 0 ? undefined : Math.min(...packages.map(nanoseconds));
  printTable(
    `Nanoseconds a decision: ${title}`,
    ['limiter', 'windows', 'ns', 'spread', 'best package ÷ this', 'bytes a client', 'granted'],
    group.map(run => [
      run.clients === run.scale ? run.variant : `${run.variant} (${whole(run.clients)} clients)`,
      run.windows,
      whole(nanoseconds(run)),
      percent(spread(results.get(run).map(({ ns }) => ns))),
      best === undefined ? '–' : ratio(best, nanoseconds(run)),
      whole(median(results.get(run).map(({ bytes }) => bytes))),
      `${(median(results.get(run).map(({ granted }) => granted)) * 100).toFixed(0)} %`,
    ]),
  );
}

async function measureParts(group) {
  const results = await alternate(group, options.rounds, run => inProcess(run, 'speed'));
  const scales = [...new Set(group.map(run => run.clients))];
  printTable(
    'Nanoseconds of a decision over two windows, up to and including each part',
    ['up to', ...scales.map(clients => `${whole(clients)} clients`)],
    [...new Set(group.map(run => run.variant))].map(variant => [
      variant === 'ours' ? 'the decision (all)' : variant,
      ...scales.map(clients => {
        const run = group.find(each => each.variant === variant && each.clients === clients);
        return run === undefined ? '–' : whole(median(results.get(run).map(({ ns }) => ns)));
      }),
    ]),
  );
}

async function measureWindows(group) {
  const results = await alternate(group, options.rounds, run => inProcess(run, 'speed'));
  const nanoseconds = run => median(results.get(run).map(({ ns }) => ns));
  const one = variant => group.find(run => run.variant === variant && run.windows === 1);
  printTable(
    'Several windows: 100,000 clients, limit 10',
    ['limiter', 'windows', 'ns', '× one window'],
    group.map(run => [
      run.variant,
      run.windows,
      whole(nanoseconds(run)),
      ratio(nanoseconds(run), nanoseconds(one(run.variant))),
    ]),
  );
}

async function measureGrowth(clients, group) {
  const results = await alternate(group, Math.min(options.rounds, 3), run => inProcess(run, 'growth'));
  const of = (run, read) => median(results.get(run).map(read));
  printTable(
    `Growing to ${whole(clients)} clients`,
    [
      'limiter',
      'longest decision, ms',
      'decisions over 1 ms',
      'ns a decision',
      'bytes a client with its key',
    ],
    group.map(run => [
      run.variant,
      fixed(
        of(run, ({ longestMs }) => longestMs),
        2,
      ),
      whole(of(run, ({ over1ms }) => over1ms)),
      whole(of(run, ({ ns }) => ns)),
      whole(of(run, ({ bytes }) => bytes)),
    ]),
  );
}

async function measureFlood(group) {
  const results = await alternate(group, 1, run => inProcess(run, 'flood'));
  printTable(
    'A flood of new clients, after one that went over its limit',
    [
      'limiter',
      'new clients',
      'bound',
      'clients held',
      'MB',
      'offender still denied',
      'longest decision, ms',
    ],
    group.map(run => {
      const [{ size, megabytes, offenderRejected, longestMs }] = results.get(run);
      return [
        run.variant,
        whole(run.clients),
        BOUNDED.has(run.variant) ? whole(run.maxClients) : 'none',
        whole(size),
        fixed(megabytes, 1),
        offenderRejected ? 'yes' : '**no**',
        fixed(longestMs, 2),
      ];
    }),
  );
}

async function inProcess(run, question) {
  const flags = ['--expose-gc', `--max-old-space-size=${Math.floor((freemem() * 0.8) / 2 ** 20)}`];
  const settings = { ...run, question, seconds: run.seconds ?? options.seconds };
  const child = startNode(SERVER_CORE, './limiter-process.mjs', settings, flags);
  try {
    return await child.next();
  } finally {
    await child.stop();
  }
}

async function smoke() {
  const { createLimiter } = await import('./support/limiters.mjs');
  for (const variant of [...PEERS, ...OURS]) {
    const limiter = createLimiter({ variant, limit: 10, windows: OURS.includes(variant) ? 2 : 1 });
    let granted = 0;
    const key = limiter.keyOf?.('192.0.2.1') ?? '192.0.2.1';
    for (let count = 0; count < 12; count++) if (await limiter.decide(key)) granted++;
    if (granted !== 10 || limiter.size() !== 1) {
      throw new Error(`${variant} granted ${granted} of 10 and holds ${limiter.size()} clients`);
    }
  }
  const small = { variant: 'ours', limit: 10, windows: 2, clients: 1_000, seconds: 0.05 };
  const answers = [];
  for (const question of ['speed', 'growth', 'flood']) answers.push(await inProcess(small, question));
  printTable(
    'Limiter, 1,000 clients (smoke)',
    ['ns a decision', 'longest decision, ms', 'clients held'],
    [[whole(answers[0].ns), fixed(answers[1].longestMs, 2), whole(answers[2].size)]],
  );
}
