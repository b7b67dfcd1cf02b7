/* One server in a process of its own, under load. */
import { SERVER_CORE, startNode } from './child.mjs';
import { load } from './load.mjs';

/** So many warm-ups at most until a client is over its limit: the throttler slows down on the way to a high one. */
const MAX_WARM_UPS = 20;

/**
 * @param {{ stack: string, platform: string }} server what support/app.mjs builds
 * @param {{ requests: object[], warmUpSeconds: number, seconds: number, slices?: number, untilRefused?: boolean }} plan
 * @returns {Promise<object[]>} for each slice: what the load saw, and the server's CPU time a request in microseconds
 */
export async function measure(
  server,
  { requests, warmUpSeconds, seconds, slices = 1, untilRejected = false },
) {
  const child = startNode(SERVER_CORE, './server.mjs', server);
  try {
    const { port } = await child.next();
    const maxWarmUps = warmUpSeconds > 0 ? MAX_WARM_UPS : 0;
    for (let warmUps = 0; warmUps < maxWarmUps; warmUps++) {
      const { rejected } = await load(port, requests, warmUpSeconds);
      if (!untilRejected || rejected > 0.99) break;
    }
    const results = [];
    for (let slice = 0; slice < slices; slice++) {
      const before = await child.request('cpu');
      const result = await load(port, requests, seconds);
      const after = await child.request('cpu');
      results.push({ ...result, cpuUs: (after.cpuUs - before.cpuUs) / result.requests });
    }
    return results;
  } finally {
    await child.stop();
  }
}

/**
 * Each round runs every variant once; the order is reversed from round to round, so that a machine that slows down
 * slows all of them.
 * @template Run, Result
 * @param {readonly Run[]} runs
 * @param {number} rounds
 * @param {(run: Run) => Promise<Result>} once
 * @returns {Promise<Map<Run, Result[]>>}
 */
export async function alternate(runs, rounds, once) {
  const results = new Map(runs.map(run => [run, []]));
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? runs : runs.toReversed();
    for (const [index, run] of order.entries()) {
      process.stderr.write(`\rbench: round ${round + 1}/${rounds}, ${index + 1}/${runs.length}   `);
      results.get(run).push(await once(run));
    }
  }
  process.stderr.write('\r\x1b[K');
  return results;
}
