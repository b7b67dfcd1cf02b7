/* Is every target of bench/support/targets.mjs met? One table, in about twenty minutes. */
import { CAN_PIN, HAS_WRK } from './support/child.mjs';
import { fixed, pairedRatio, printTable } from './support/figures.mjs';
import { alternate, measure, WARM_UP_SECONDS } from './support/measure.mjs';
import { readOptions, select } from './support/options.mjs';
import { prepare, preparePublished } from './support/prepare.mjs';
import { PLATFORMS, QUESTIONS, RUNS } from './support/questions.mjs';
import { measureStartCost } from './support/start-cost.mjs';
import { START_TARGETS, TARGETS } from './support/targets.mjs';

const options = readOptions({ rounds: 3, seconds: 2 });
const START_ROUNDS = 9;
const GROWTH_SLICES = 3;
const ATTEMPTS = 2;
const NAMES = { fastify: 'Fastify', express: 'Express' };

const READ = {
  perSecond: result => result.perSecond,
  perCpuSecond: result => 1 / result.cpuUs,
  p99Ms: result => result.p99Ms,
};

const copies = new Map();

/** A run, copied for each question that compares with it: minutes after another question, the machine may be slower. */
function runFor(question, platform, name) {
  const key = [question, platform, name].join();
  const run = RUNS.find(each => each.platform === platform && `${each.question}/${each.variant}` === name);
  if (run !== undefined && !copies.has(key)) copies.set(key, { ...run });
  return copies.get(key);
}

/** One row for each target and platform. What this machine cannot measure is left out. */
const ROWS = PLATFORMS.flatMap(platform =>
  TARGETS.map(target => {
    const [question] = target.of.split('/');
    const run = runFor(question, platform, target.of);
    const other = target.beside && runFor(question, platform, target.beside);
    return { ...target, platform, question, run, other };
  }),
);

if (options.smoke) await smoke();
else {
  prepare();
  await full(select([...ROWS, { question: 'start' }], options.only, ['question', 'platform']));
}

async function full(selected) {
  console.log(`\n## Targets\n`);
  console.log(
    `Node ${process.versions.node}, ${HAS_WRK ? 'wrk' : 'autocannon'} with 64 connections, ` +
      `${CAN_PIN ? 'server and load on a core each' : 'server and load NOT on cores of their own'}; ` +
      `${options.rounds} processes a variant, ${WARM_UP_SECONDS} s of warm-up, ${options.seconds} s measured; medians of pairs.`,
  );
  const rows = selected.filter(({ run }) => run !== undefined);
  const starts = selected.some(({ question }) => question === 'start') ? await measureStarts() : [];
  const measured = await measureRows(rows, options.rounds, measureOrNote);
  print([...measured, ...starts]);
  const missing = ROWS.filter(row => row.run === undefined).map(({ of }) => of);
  if (missing.length > 0)
    console.log(`\nNot measured here (wrk or nginx is missing): ${[...new Set(missing)].join(', ')}.`);
}

/** Of the package as it is published: the app of a user loads no other. */
async function measureStarts() {
  preparePublished();
  const cost = hasSwagger => measureStartCost(PLATFORMS, START_ROUNDS, { hasSwagger });
  const [usual, withSwagger] = [await cost(false), await cost(true)];
  return PLATFORMS.flatMap(platform => [
    ...startCells(platform, usual.get(platform), START_TARGETS),
    ...startCells(platform, withSwagger.get(platform), {}, ', with @nestjs/swagger installed'),
  ]);
}

/** A load that fails once is repeated. A second failure costs the table one round of a row, which says so. */
async function measureOrNote(run) {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      return await measureRun(run);
    } catch (error) {
      console.error(`\nbench: ${run.platform} ${run.question}/${run.variant} failed: ${error.message}`);
    }
  }
  return undefined;
}

async function measureRun(run) {
  const { requests } = QUESTIONS[run.question];
  const plan = { requests, warmUpSeconds: WARM_UP_SECONDS, seconds: options.seconds };
  if (run.question !== 'growth') {
    const untilRejected = run.question === 'rejected' && run.limit !== undefined;
    return (await measure(run, { ...plan, untilRejected }))[0];
  }
  const slices = await measure(run, { ...plan, slices: GROWTH_SLICES });
  return { ...slices.at(-1), first: slices[0] };
}

async function measureRows(rows, rounds, once) {
  // In the order of the targets, so that a pair stands side by side.
  const runs = [...new Set(rows.flatMap(({ run, other }) => [run, other]).filter(Boolean))];
  const results = await alternate(runs, rounds, once);
  for (const run of runs) checkAnswers(run, results.get(run));
  return rows.map(row => cells(row, results.get(row.run), results.get(row.other)));
}

/** A server that rejects what it should grant, or the other way round, answers another question. */
function checkAnswers(run, results) {
  const expected = run.question === 'rejected' ? 1 : 0;
  const wrong = results.find(result => result && Math.abs(result.rejected - expected) > 0.01);
  if (wrong === undefined) return;
  throw new Error(
    `${run.platform} ${run.question}/${run.variant} rejected ${fixed(wrong.rejected * 100, 1)} %`,
  );
}

function cells({ title, platform, beside, by = 'perCpuSecond', atLeast, atMost }, all, others) {
  const isWhole = (result, round) => result && (others === undefined || others[round]);
  const results = all.filter(isWhole);
  const failed = all.length - results.length;
  const compared =
    others?.filter((_other, round) => isWhole(all[round], round)) ?? results.map(({ first }) => first);
  const { median, least, most } = pairedRatio(results, compared, READ[by]);
  const byThroughput = pairedRatio(results, compared, READ.perSecond).median;
  const bound = atLeast === undefined ? '' : `≥ ${atLeast[platform]}`;
  const limit = atMost === undefined ? bound : `≤ ${atMost[platform]}`;
  return [
    `${NAMES[platform]}: ${title}`,
    beside ?? 'its first seconds',
    `${fixed(median, 2)} ×`,
    results.length > 1 ? `${fixed(least, 2)} – ${fixed(most, 2)}` : '–',
    fixed(byThroughput, 2),
    limit || '–',
    verdict(
      limit === ''
        ? undefined
        : median >= (atLeast?.[platform] ?? 0) && median <= (atMost?.[platform] ?? Infinity),
    ) + (failed === 0 ? '' : ` (${failed} of ${all.length} rounds failed)`),
  ];
}

function startCells(platform, { addedMs, addedHeapMB }, targets, where = '') {
  const cell = (title, value, unit, limit) => [
    `${NAMES[platform]}: ${title}${where}`,
    'without the module',
    `+ ${fixed(value, 1)} ${unit}`,
    '–',
    '–',
    limit === undefined ? '–' : `≤ ${limit} ${unit}`,
    verdict(limit === undefined ? undefined : value <= limit),
  ];
  return [
    cell('import and start', addedMs, 'ms', targets.addedMs),
    cell('heap after the start', addedHeapMB, 'MB', targets.addedHeapMB),
  ];
}

function verdict(met) {
  if (met === undefined) return 'stated';
  return met ? 'met' : 'NOT MET';
}

function print(table, title = 'Targets') {
  printTable(title, ['what', 'beside', 'measured', 'from – to', 'requests a second', 'target', ''], table);
  const count = word => table.filter(row => row.at(-1).split(' (')[0] === word).length;
  console.log(`\n${count('met')} met, ${count('NOT MET')} not met, ${count('stated')} stated.`);
}

/** Each target names runs that exist, and the table is printed, of results that are made up. */
async function smoke() {
  const known = new Set(RUNS.map(run => `${run.question}/${run.variant}`));
  const empty = new Set(Object.keys(QUESTIONS).filter(name => QUESTIONS[name].variants.length === 0));
  const unknown = TARGETS.flatMap(({ of, beside }) => [of, beside])
    .filter(Boolean)
    .filter(name => !known.has(name) && !empty.has(name.split('/')[0]));
  if (unknown.length > 0) throw new Error(`questions.mjs has no ${unknown.join(', ')}`);
  const one = { perSecond: 1, p99Ms: 1, cpuUs: 1 };
  const rows = ROWS.filter(({ run }) => run !== undefined);
  print(
    await measureRows(rows, 1, async run => ({
      ...one,
      first: one,
      rejected: run.question === 'rejected' ? 1 : 0,
    })),
    'Targets (smoke: every result is made up)',
  );
}
