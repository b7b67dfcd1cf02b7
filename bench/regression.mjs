/* Does a request cost more CPU time than at the last release? It fails only on a large loss that three measurements agree on. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkOut, differs, findBase, readBase } from './support/base-checkout.mjs';
import { HAS_WRK } from './support/child.mjs';
import { fixed, median, pairedRatio, tableLines } from './support/figures.mjs';
import { alternate, measure, WARM_UP_SECONDS } from './support/measure.mjs';
import { readOptions } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';
import { QUESTIONS, RUNS } from './support/questions.mjs';

/** Shared machines differ by a tenth from one minute to the next; pairs in turn take out most of it. */
const TOLERANCE = 1.25;
/** A measurement that is above the tolerance is repeated up to so often. */
const MEASUREMENTS = 3;
const SCENARIOS = [
  ['Fastify, GET', 'fastify', 'get'],
  ['Express, GET', 'express', 'get'],
  ['Fastify, GET behind a trusted proxy, 10,000 clients', 'fastify', 'proxied'],
];

const options = readOptions({ rounds: 3, seconds: 4 });
const base = options.base === undefined ? findBase() : readBase(options.base);
if (differs(base.commit, 'src', 'package-lock.json')) await compare();
else report([`The source is that of ${base.name}: nothing to compare.`]);

async function compare() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-base-'));
  try {
    prepare();
    const script = checkOut(base.commit, folder);
    const rows = [];
    for (const scenario of SCENARIOS) rows.push(await measureScenario(scenario, script));
    reportRows(rows);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @returns {Promise<{ title: string, baseUs?: number, ownUs?: number, ratios: number[], note?: string }>} */
async function measureScenario([title, platform, question], script) {
  const run = RUNS.find(
    each => each.platform === platform && each.question === question && each.variant === 'ours',
  );
  if (run === undefined) return { title, ratios: [], note: 'needs wrk' };
  const { requests } = QUESTIONS[question];
  const plan = { requests, warmUpSeconds: WARM_UP_SECONDS, seconds: options.seconds };
  const [before, after] = [{ ...run, script }, { ...run }];
  const ratios = [];
  let [baseUs, ownUs] = [NaN, NaN];
  do {
    let results;
    try {
      results = await alternate([before, after], options.rounds, async each => {
        const { script: other, ...server } = each;
        return (await measure(server, { ...plan, script: other }))[0];
      });
    } catch (error) {
      // An earlier version may not know the options of today's benches.
      if (!String(error).includes('ended early')) throw error;
      return { title, ratios, note: `cannot be compared: ${error.message.split('\n')[0]}` };
    }
    const read = result => result.cpuUs;
    ratios.push(pairedRatio(results.get(after), results.get(before), read).median);
    [baseUs, ownUs] = [before, after].map(each => median(results.get(each).map(read)));
  } while (ratios.at(-1) > TOLERANCE && ratios.length < MEASUREMENTS);
  return { title, baseUs, ownUs, ratios };
}

function reportRows(rows) {
  const isLoss = ({ ratios }) => ratios.length === MEASUREMENTS && ratios.every(ratio => ratio > TOLERANCE);
  const table = tableLines(
    ['CPU time per request', `${base.name}, µs`, 'now, µs', 'now × before', ''],
    rows.map(({ title, baseUs, ownUs, ratios, note }) => [
      title,
      fixed(baseUs, 1),
      fixed(ownUs, 1),
      ratios.map(ratio => fixed(ratio, 2)).join(', then ') || '–',
      note ?? (isLoss({ ratios }) ? 'SLOWER' : 'as before'),
    ]),
  );
  const load = HAS_WRK ? 'wrk' : 'autocannon';
  report([
    ...table,
    '',
    `Node ${process.versions.node}, ${load}; medians of ${options.rounds} pairs. A scenario fails above ${TOLERANCE} × in ${MEASUREMENTS} measurements.`,
  ]);
  if (rows.some(isLoss)) process.exitCode = 1;
}

/** To standard output, and to the summary of the job where there is one. */
function report(lines) {
  const text = ['## CPU time beside the last release', '', ...lines, ''].join('\n');
  console.log(text);
  if (process.env.GITHUB_STEP_SUMMARY) appendFileSync(process.env.GITHUB_STEP_SUMMARY, `${text}\n`);
}
