/* Does a request cost more CPU time than at the last release? It fails only on a large loss that three measurements agree on. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkOut, differs, findBase, readBase } from './support/base-checkout.mjs';
import { HAS_WRK } from './support/child.mjs';
import { fixed, median, pairedRatio, tableLines } from './support/figures.mjs';
import { alternate, measure, WARM_UP_SECONDS } from './support/measure.mjs';
import { readOptions, select } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';
import { QUESTIONS, RUNS } from './support/questions.mjs';

/** Shared machines differ by a tenth from one minute to the next; pairs in turn take out most of it. */
const TOLERANCE = 1.25;
/** A measurement that is above the tolerance is repeated up to so often. */
const MEASUREMENTS = 3;
/** What `--smoke` plants: a server that has just started takes hundreds of microseconds for a request. */
const SMOKE_PLANT_US = 2_000;
const SCENARIOS = [
  { title: 'Fastify, GET', platform: 'fastify', question: 'get' },
  { title: 'Express, GET', platform: 'express', question: 'get' },
  {
    title: 'Fastify, GET behind a trusted proxy, 10,000 clients',
    platform: 'fastify',
    question: 'proxied',
  },
];

const options = readOptions({ rounds: 3, seconds: 4 });
if (options.smoke) await smoke();
else {
  const base = options.base === undefined ? findBase() : readBase(options.base);
  if (options.plant !== undefined || differs(base.commit, 'src', 'package-lock.json')) await compare(base);
  else report([`The source is that of ${base.name}: nothing to compare.`]);
}

async function compare(base) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-base-'));
  try {
    prepare();
    const script = checkOut(base.commit, folder);
    const plan = { warmUpSeconds: WARM_UP_SECONDS, seconds: options.seconds, rounds: options.rounds };
    const rows = [];
    for (const scenario of select(SCENARIOS, options.only, ['platform', 'question']))
      rows.push(await measureScenario(scenario, { script }, { lossUs: options.plant }, plan));
    reportRows(base.name, rows);
    if (rows.some(isLoss)) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A loss that is planted in this checkout is found beside the same checkout, and fails where three measurements agree on it. */
async function smoke() {
  prepare();
  const plan = { warmUpSeconds: 1, seconds: 1, rounds: 1, measurements: 1 };
  const row = await measureScenario(SCENARIOS[0], {}, { lossUs: SMOKE_PLANT_US }, plan);
  reportRows('this checkout', [{ ...row, title: `${row.title}, ${SMOKE_PLANT_US} µs slower` }]);
  const [found] = row.ratios;
  if (found <= TOLERANCE) throw new Error('The planted loss was not found.');
  const verdicts = [[found, found, found], [found, found, 1], [1]].map(ratios => isLoss({ ratios }));
  if (String(verdicts) !== 'true,false,false') throw new Error(`The verdicts are ${verdicts}.`);
}

/**
 * @param {{ script?: string }} base the server that is compared with, in place of this checkout's
 * @param {{ lossUs?: number }} own what is planted in this checkout's server
 * @returns {Promise<{ title: string, baseUs?: number, ownUs?: number, ratios: number[], note?: string }>}
 */
async function measureScenario({ title, platform, question }, base, own, plan) {
  const run = RUNS.find(
    each => each.platform === platform && each.question === question && each.variant === 'ours',
  );
  if (run === undefined) return { title, ratios: [], note: 'needs wrk' };
  const { requests } = QUESTIONS[question];
  const { rounds, measurements = MEASUREMENTS } = plan;
  const [before, after] = [
    { ...run, ...base },
    { ...run, ...own },
  ];
  const ratios = [];
  let [baseUs, ownUs] = [NaN, NaN];
  do {
    let results;
    try {
      results = await alternate([before, after], rounds, async ({ script, ...server }) => {
        return (await measure(server, { ...plan, requests, script }))[0];
      });
    } catch (error) {
      // An earlier version may not know the options of today's benches.
      if (!String(error).includes('ended early')) throw error;
      return { title, ratios, note: `cannot be compared: ${error.message.split('\n')[0]}` };
    }
    const read = result => result.cpuUs;
    ratios.push(pairedRatio(results.get(after), results.get(before), read).median);
    [baseUs, ownUs] = [before, after].map(each => median(results.get(each).map(read)));
  } while (ratios.at(-1) > TOLERANCE && ratios.length < measurements);
  return { title, baseUs, ownUs, ratios };
}

function isLoss({ ratios }) {
  return ratios.length === MEASUREMENTS && ratios.every(ratio => ratio > TOLERANCE);
}

function reportRows(baseName, rows) {
  const table = tableLines(
    ['CPU time per request', `${baseName}, µs`, 'now, µs', 'now × before', ''],
    rows.map(({ title, baseUs, ownUs, ratios, note }) => [
      title,
      fixed(baseUs, 1),
      fixed(ownUs, 1),
      ratios.map(ratio => fixed(ratio, 2)).join(', then ') || '–',
      note ?? verdict(ratios),
    ]),
  );
  const load = HAS_WRK ? 'wrk' : 'autocannon';
  report([
    ...table,
    '',
    `Node ${process.versions.node}, ${load}; medians of ${options.rounds} pairs. A scenario fails above ${TOLERANCE} × in ${MEASUREMENTS} measurements.`,
  ]);
}

function verdict(ratios) {
  if (isLoss({ ratios })) return 'SLOWER';
  return ratios.at(-1) > TOLERANCE ? 'slower, once' : 'as before';
}

/** To standard output, and to the summary of the job where there is one. */
function report(lines) {
  const text = ['## CPU time beside the last release', '', ...lines, ''].join('\n');
  console.log(text);
  if (process.env.GITHUB_STEP_SUMMARY && !options.smoke)
    appendFileSync(process.env.GITHUB_STEP_SUMMARY, `${text}\n`);
}
