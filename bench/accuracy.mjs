/* How much does a limit of 100 in 60 s admit in its worst window, and how much of what it promised? In simulated time. */
import { writeFileSync } from 'node:fs';
import { fixed, printTable, whole } from './support/figures.mjs';
import { readOptions } from './support/options.mjs';
import * as peers from './support/peer-algorithms.mjs';
import { plotBars } from './support/plot.mjs';
import { prepare } from './support/prepare.mjs';

const LIMIT = 100;
const WINDOW_MS = 60_000;

const options = readOptions({ rounds: 1, seconds: 1 });
prepare();
const { createPolicy } = await import('../dist/limiter/create-policy.js');
const { QuotaTable } = await import('../dist/limiter/table/quota-table.js');
const { EVERY_POLICY, consume } = await import('../dist/limiter/consume.js');

const ours = algorithm => (limit, windowMs) => {
  const table = new QuotaTable([createPolicy({ limit, windowMs, algorithm })], 1);
  const charges = [{ table, mask: EVERY_POLICY, key: { hi: 1, lo: 1 }, cost: 1 }];
  return nowMs => consume(charges, nowMs).granted;
};

const ALGORITHMS = {
  'exact log': peers.exactLog,
  'fixed window (express-rate-limit, rate-limiter-flexible, @fastify/rate-limit)': peers.fixedWindow,
  'log and block (@nestjs/throttler)': peers.logAndBlock,
  'sliding counter over two windows': peers.slidingCounter,
  'ten sub-windows': peers.subWindows,
  '**ours: sliding-window** (default)': ours('sliding-window'),
  'ours: fixed-window': ours('fixed-window'),
  'ours: token-bucket': ours('token-bucket'),
};

const minutes = options.smoke ? 20 : 2_000;
const END_MS = minutes * 60_000;

/** The same numbers in every run. */
function createRandom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ARRIVALS = {
  /** Half as much again as the limit, evenly. */
  steady: () => Array.from({ length: minutes * 150 }, (_, index) => index * 400),
  /** As random as independent users: 1.2 times the limit on average. */
  random() {
    const random = createRandom(1);
    const times = [];
    for (let nowMs = 0; nowMs < END_MS; nowMs -= Math.log(1 - random()) * 500) times.push(nowMs);
    return times;
  },
  /** 20 to 120 requests within two seconds, then 10 to 60 seconds of nothing. */
  bursts() {
    const random = createRandom(2);
    const times = [];
    for (let nowMs = 0; nowMs < END_MS; nowMs += 10_000 + random() * 50_000) {
      const count = 20 + Math.floor(random() * 101);
      for (let index = 0; index < count; index++) times.push(nowMs + (index * 2_000) / count);
      nowMs += 2_000;
    }
    return times;
  },
  /**
   * One request to open a window, the rest of the limit just before its end, as much again behind it, then a drip
   * every 100 ms for a window and a half, and a pause of random length, so that every alignment of buckets is met.
   */
  adversarial() {
    const random = createRandom(3);
    const times = [];
    for (let nowMs = 0; nowMs < END_MS; nowMs += WINDOW_MS * (4 + random())) {
      times.push(nowMs);
      const borderMs = nowMs + WINDOW_MS;
      for (let index = 1; index < LIMIT; index++) times.push(borderMs - LIMIT + index);
      for (let index = 0; index < LIMIT; index++) times.push(borderMs + index);
      for (let dripMs = 200; dripMs < WINDOW_MS * 1.5; dripMs += 100) times.push(borderMs + dripMs);
    }
    return times;
  },
};

/** The most that any stretch of one window holds. */
function worstWindow(admitted) {
  let worst = 0;
  let first = 0;
  for (let last = 0; last < admitted.length; last++) {
    while (admitted[first] <= admitted[last] - WINDOW_MS) first++;
    worst = Math.max(worst, last - first + 1);
  }
  return worst;
}

const admittedBy = (create, times) => {
  const admits = create(LIMIT, WINDOW_MS);
  // Time does not start at 0 anywhere else.
  return times.filter(nowMs => admits(nowMs + 1_000_000_000));
};

const patterns = Object.entries(ARRIVALS).map(([name, create]) => ({ name, times: create() }));
const exact = new Map(patterns.map(({ name, times }) => [name, admittedBy(peers.exactLog, times).length]));
console.log(`\n## Accuracy: limit ${LIMIT} in ${WINDOW_MS / 1000} s, ${whole(minutes)} simulated minutes`);
const results = Object.entries(ALGORITHMS).map(([name, create]) => ({
  name,
  cells: patterns.map(({ name: pattern, times }) => {
    const admitted = admittedBy(create, times);
    return { worst: worstWindow(admitted), share: admitted.length / exact.get(pattern) };
  }),
}));
printTable(
  'Most admitted in one window / admitted in all, as a share of the exact log',
  ['algorithm', ...patterns.map(({ name, times }) => `${name} (${whole(times.length)})`)],
  results.map(({ name, cells }) => [
    name,
    ...cells.map(({ worst, share }) => `${worst} / ${fixed(share, 2)}`),
  ]),
);

if (options.plot !== undefined) {
  const rows = results.map(({ name, cells }) => ({
    label: name.replaceAll('*', '').replace(/ \((?:default|express).*\)/, ''),
    own: name.includes('ours'),
    values: [
      Math.max(...cells.map(({ worst }) => worst)) / LIMIT,
      Math.min(...cells.map(({ share }) => share)),
    ],
  }));
  const panels = [
    { title: 'worst window, × the limit', max: 2.1, marks: [1, 2].map(at => ({ at, label: `${at} ×` })) },
    {
      title: 'least admitted, share of an exact log',
      max: 1.2,
      marks: [0.5, 1].map(at => ({ at, label: String(at) })),
    },
  ];
  writeFileSync(
    options.plot,
    plotBars('Limit 100 in 60 s: four patterns of arrival, the worst of each', panels, rows),
  );
  console.log(`\nplotted to ${options.plot}`);
}
