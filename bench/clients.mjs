/* Ten million clients in one process: how much memory do they take, does anybody wait for it, and are the busy ones still limited? */
import { SERVER_CORE, startNode } from './support/child.mjs';
import { fixed, median, printTable, whole } from './support/figures.mjs';
import { alternate } from './support/measure.mjs';
import { readOptions, select } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';

const options = readOptions({ rounds: 3, seconds: 1 });

const MILLION = 1_000_000;

/** Clients that send again and again while the others come, each once; `maxClients` is the bound on all. */
const runs = [
  { variant: 'room-for-all', clients: 10 * MILLION, maxClients: 20 * MILLION, busy: 1_000 },
  { variant: 'bound-1M', clients: 10 * MILLION, maxClients: MILLION, busy: 1_000 },
  { variant: 'bound-250k', clients: 10 * MILLION, maxClients: 250_000, busy: 1_000 },
  { variant: 'expiring', clients: 10 * MILLION, maxClients: 20 * MILLION, busy: 1_000, hours: 1 },
];

prepare();
if (options.smoke) {
  const small = { variant: 'bound-1M', clients: 30_000, maxClients: 10_000, busy: 10 };
  report([small], new Map([[small, [await measure(small)]]]));
} else {
  const selected = select(runs, options.only, ['variant']);
  console.log(
    `\n## Ten million clients in one process\n\nNode ${process.versions.node}; ${options.rounds} rounds, medians.`,
  );
  report(selected, await alternate(selected, options.rounds, measure));
}

async function measure(run) {
  const child = startNode(SERVER_CORE, './clients-process.mjs', run, ['--expose-gc']);
  try {
    return await child.next();
  } finally {
    await child.stop();
  }
}

function report(selected, results) {
  printTable(
    'Two windows, 10 a second and 100 a minute',
    [
      'run',
      'clients',
      'bound',
      'most held',
      'MB at most',
      'bytes a client held',
      'longest turn (50 new clients), CPU ms',
      'longest garbage collection, ms',
      'longest delay of the event loop, ms',
      'busy clients admitted, of what their limits allow',
    ],
    selected.map(run => {
      const of = read => median(results.get(run).map(read));
      return [
        run.variant,
        whole(run.clients),
        whole(run.maxClients),
        whole(of(({ mostHeld }) => mostHeld)),
        whole(of(({ megabytes }) => megabytes)),
        whole(of(({ megabytes, mostHeld }) => (megabytes * 1e6) / mostHeld)),
        fixed(
          of(({ longestTurnMs }) => longestTurnMs),
          2,
        ),
        fixed(
          of(({ longestGcMs }) => longestGcMs),
          2,
        ),
        fixed(
          of(({ delayMs }) => delayMs),
          2,
        ),
        `${fixed(
          of(({ least }) => least),
          2,
        )}–${fixed(
          of(({ most }) => most),
          2,
        )}`,
      ];
    }),
  );
}
