/* Millions of clients that come once, and a few that never stop, in a process of their own. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { hashKey } from '../../dist/rate-limit/hash-key.js';
import { EVERY_POLICY, judge } from '../../dist/rate-limit/judge.js';
import { createPolicy } from '../../dist/rate-limit/policy.js';
import { QuotaTable } from '../../dist/rate-limit/quota-table.js';

/** New clients between two moments at which the event loop may turn, as between two batches of requests. */
const BATCH = 500;
/** A busy client asks at 10 times its limit, in simulated time. */
const OVERUSE = 10;
const LIMIT = 100;
const WINDOW_MS = 60_000;

const { clients, maxClients, busy, hours } = JSON.parse(process.argv[2]);

const policies = [
  createPolicy({ limit: 10, windowMs: 1_000 }),
  createPolicy({ limit: LIMIT, windowMs: WINDOW_MS }),
];
const table = new QuotaTable(policies, maxClients);
/** All clients within one window, so that none may be forgotten; or over hours, so that most have gone when the last come. */
const totalMs = hours === undefined ? WINDOW_MS * 0.9 : hours * 3_600_000;
const startMs = 1_000_000;

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
let longestMs = 0;
let asked = 0;
let decisions = 0;
let cpuUs = 0;
let longestTurnUs = 0;
let turns = 0;
for (let client = 0; client < clients;) {
  const cpu = process.cpuUsage();
  for (const end = Math.min(client + BATCH, clients); client < end; client++) {
    const nowMs = startMs + (client / clients) * totalMs;
    const key = { hi: 0x0a00_0000, lo: client };
    const beganMs = performance.now();
    judge([{ table, mask: EVERY_POLICY, key, cost: 1 }], nowMs);
    const tookMs = performance.now() - beganMs;
    if (tookMs > longestMs) longestMs = tookMs;
    decisions++;
    for (; asked * newPerAsk <= client; asked++) {
      const one = asked % busy;
      decisions++;
      if (judge([{ table, mask: EVERY_POLICY, key: busyKeys[one], cost: 1 }], nowMs).granted) admitted[one]++;
    }
  }
  await new Promise(resolve => setImmediate(resolve));
  const used = process.cpuUsage(cpu);
  cpuUs += used.user + used.system;
  longestTurnUs = Math.max(longestTurnUs, used.user + used.system);
  if (table.size > mostHeld) mostHeld = table.size;
  if (turns++ % 20 !== 0) continue;
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  mostBytes = Math.max(mostBytes, arrayBuffers + heapUsed - before.arrayBuffers - before.heapUsed);
}
delay.disable();

/** What an exact limiter admits: a full limit at once, and as much again in each further window. */
const allowed = LIMIT * Math.max(1, totalMs / WINDOW_MS);
const shares = Array.from(admitted, count => count / allowed);
process.send(
  {
    mostHeld,
    megabytes: mostBytes / 1e6,
    ns: (cpuUs * 1e3) / decisions,
    longestMs,
    longestTurnMs: longestTurnUs / 1e3,
    delayMs: delay.max / 1e6,
    least: Math.min(...shares),
    most: Math.max(...shares),
  },
  () => process.exit(),
);
