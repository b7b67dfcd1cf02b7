/* One server in a process of its own, under load. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVER_CORE, startNode } from './child.mjs';
import { load } from './load.mjs';
import { startNginx } from './nginx.mjs';

/** V8 optimizes some of a server's functions only after seconds of load. */
export const WARM_UP_SECONDS = 5;
/** So many warm-ups at most until a client is over its limit: the throttler slows down on the way to a high one. */
const MAX_WARM_UPS = 20;

/**
 * @param {{ stack: string, platform: string, nginx?: boolean }} server what support/app.mjs builds
 * @param {{ requests: object[], warmUpSeconds: number, seconds: number, slices?: number, untilRejected?: boolean, script?: string }} plan
 * @returns {Promise<object[]>} for each slice: what the load saw, and the server's CPU time a request in microseconds
 */
export async function measure(server, plan) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const child = startNode(SERVER_CORE, plan.script ?? './server.mjs', { ...server, folder }, ['--expose-gc']);
  let nginx;
  try {
    const { port, headers } = await child.next();
    if (server.nginx) nginx = await startNginx(port);
    const requests = plan.requests.map(request => ({
      ...request,
      headers: { ...request.headers, ...headers },
    }));
    return await loadInSlices(child, nginx?.port ?? port, { ...plan, requests });
  } finally {
    await nginx?.stop();
    await child.stop();
    rmSync(folder, { recursive: true });
  }
}

async function loadInSlices(child, port, { requests, warmUpSeconds, seconds, slices = 1, untilRejected }) {
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
