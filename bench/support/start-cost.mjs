/* What the import and the start of an app cost with the module, beside the same app without it. */
import { SERVER_CORE, startNode } from './child.mjs';
import { median } from './figures.mjs';
import { alternate } from './measure.mjs';

/** @returns {Promise<Map<string, { addedMs: number, addedCpuMs: number, addedHeapMB: number }>>} by platform, medians of the rounds */
export async function measureStartCost(platforms, rounds) {
  const runs = platforms.flatMap(platform => ['bare', 'ours'].map(stack => ({ platform, stack })));
  const results = await alternate(runs, rounds, async run => {
    const child = startNode(SERVER_CORE, './start-cost-process.mjs', run, ['--expose-gc']);
    try {
      return await child.next();
    } finally {
      await child.stop();
    }
  });
  const of = (platform, stack) =>
    results.get(runs.find(run => run.platform === platform && run.stack === stack));
  return new Map(
    platforms.map(platform => {
      const added = read =>
        median(of(platform, 'ours').map((ours, round) => read(ours) - read(of(platform, 'bare')[round])));
      return [
        platform,
        {
          addedMs: added(({ startMs }) => startMs),
          addedCpuMs: added(({ cpuMs }) => cpuMs),
          addedHeapMB: added(({ heapMB }) => heapMB),
        },
      ];
    }),
  );
}
