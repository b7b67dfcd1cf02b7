/* Millions of clients that come once, and a few that never stop, in a process of their own. */
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { hashKey } from '../../dist/common/hash-key.js';
import { EVERY_POLICY, consume } from '../../dist/limiter/consume.js';
import { createPolicy } from '../../dist/limiter/create-policy.js';
import { QuotaTable } from '../../dist/limiter/table/quota-table.js';

/** New clients between two moments at which the event loop may turn, as between two batches of requests. */
const BATCH = 50;
/** A busy client sends 10 times its limit, in simulated time. */
const OVERUSE = 10;
const LIMIT = 100;
const WINDOW_MS = 60_000;
const START_MS = 1_000_000;
const WARM_UP_CLIENTS = 300_000;

const policies = [
  createPolicy({ limit: 10, windowMs: 1_000 }),
  createPolicy({ limit: LIMIT, windowMs: WINDOW_MS }),
];

async function meet({ clients, maxClients, busy, hours }) {
  const table = new QuotaTable(policies, maxClients);
  /** All clients within one window, so that none may be forgotten; or over hours, so that most have gone when the last come. */
  const totalMs = hours === undefined ? WINDOW_MS * 0.9 : hours * 3_600_000;
  const busyKeys = Array.from({ length: busy }, (_, index) => hashKey(`busy ${index}`, 1, 2));
  const admitted = new Uint32Array(busy);
  const asksOfBusy = Math.ceil((busy * OVERUSE * LIMIT * totalMs) / WINDOW_MS);
  const newPerAsk = clients / asksOfBusy;

  globalThis.gc();
  const before = process.memoryUsage();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let mostHeld = 0;
  let mostBytes = 0;
  let longestTurnMs = 0;
  let longestGcMs = 0;
  const collections = new PerformanceObserver(() => undefined);
  collections.observe({ entryTypes: ['gc'] });
  let repeated = 0;
  let turns = 0;
  for (let client = 0; client < clients;) {
    const cpu = process.cpuUsage();
    for (const end = Math.min(client + BATCH, clients); client < end; client++) {
      const nowMs = START_MS + (client / clients) * totalMs;
      const key = { hi: 0x0a00_0000, lo: client };
      consume([{ table, mask: EVERY_POLICY, key, cost: 1 }], nowMs);
      for (; repeated * newPerAsk <= client; repeated++) {
        const one = repeated % busy;
        if (consume([{ table, mask: EVERY_POLICY, key: busyKeys[one], cost: 1 }], nowMs).granted)
          admitted[one]++;
      }
    }
    await new Promise(resolve => setImmediate(resolve));
    const used = process.cpuUsage(cpu);
    let gcMs = 0;
    for (const { duration } of collections.takeRecords()) gcMs += duration;
    longestGcMs = Math.max(longestGcMs, gcMs);
    longestTurnMs = Math.max(longestTurnMs, (used.user + used.system) / 1e3 - gcMs);
    if (table.size > mostHeld) mostHeld = table.size;
    if (turns++ % 200 !== 0) continue;
    const { arrayBuffers, heapUsed } = process.memoryUsage();
    mostBytes = Math.max(mostBytes, arrayBuffers + heapUsed - before.arrayBuffers - before.heapUsed);
  }
  delay.disable();
  collections.disconnect();

  /** What an exact limiter admits: a full limit at once, and as much again in each further window. */
  const allowed = LIMIT * Math.max(1, totalMs / WINDOW_MS);
  const shares = Array.from(admitted, count => count / allowed);
  return {
    mostHeld,
    megabytes: mostBytes / 1e6,
    longestTurnMs,
    longestGcMs,
    delayMs: delay.max / 1e6,
    least: Math.min(...shares),
    most: Math.max(...shares),
  };
}

const settings = JSON.parse(process.argv[2]);
// Compiles all that a table does, at its bound too: that happens once in a process, however many come.
await meet({ ...settings, clients: WARM_UP_CLIENTS, maxClients: WARM_UP_CLIENTS / 10, busy: 10 });
await meet({ ...settings, clients: WARM_UP_CLIENTS, busy: 10 });
process.send(await meet(settings), () => process.exit());
