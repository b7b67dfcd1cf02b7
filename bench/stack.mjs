/* What does the whole stack cost: requests a second, latency and CPU time, beside a bare app and beside other stacks? */
import { CAN_PIN, HAS_WRK } from './support/child.mjs';
import { fixed, median, pairedRatio, percent, printTable, ratio, spread, whole } from './support/figures.mjs';
import { alternate, measure, WARM_UP_SECONDS } from './support/measure.mjs';
import { readOptions, select } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';
import { PLATFORMS, QUESTIONS, RUNS } from './support/questions.mjs';

const options = readOptions({ rounds: 5, seconds: 5 });
const GROWTH_SLICES = 4;
const GROWTH_ROUNDS = 2;

prepare();
if (options.smoke) await (await import('./support/stack-smoke.mjs')).smoke();
else await full(select(RUNS, options.only, ['question', 'platform', 'variant']));

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
  const beside = (run, variant) => {
    const other = group.find(candidate => candidate.variant === variant);
    return other && pairedRatio(results.get(run), results.get(other), result => result.perSecond).median;
  };
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
        fixed(beside(run, 'bare'), 2),
        fixed(beside(run, 'assembled'), 2),
        fixed(median(of(run, result => result.p50Ms)), 2),
        fixed(median(of(run, result => result.p99Ms)), 2),
        fixed(median(of(run, result => result.cpuUs)), 1),
        rejectedText(Math.max(...of(run, result => result.rejected))),
      ];
    }),
  );
}

async function measureGrowth(title, group, requests) {
  const plan = { requests, warmUpSeconds: WARM_UP_SECONDS, seconds: options.seconds, slices: GROWTH_SLICES };
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
