/* One limiter in a process of its own: answers one question about it and ends. */
import { addressOf, createLimiter, time, WINDOW_MS } from './limiters.mjs';

/** How much of its limit each client uses. */
const USE = 0.8;
const FILL_STEPS = 8;

/**
 * Nanoseconds a decision over so many clients in random order, each at 80 % of its limit: simulated time passes just so
 * fast that hits leave the windows as new ones come.
 */
async function speed({ clients, limit, seconds, ...rest }) {
  const limiter = createLimiter({ limit, ...rest });
  const keyAt = holdKeys(limiter, clients);
  const bytesBefore = usedBytes();
  for (let step = 0; step < FILL_STEPS; step++) {
    for (let index = 0; index < clients; index++) {
      await limiter.fill(keyAt(index), Math.max(1, Math.round((limit * USE) / FILL_STEPS)));
    }
    time.aheadMs += WINDOW_MS / FILL_STEPS;
  }
  const bytes = (usedBytes() - bytesBefore) / clients;

  const stepMs = WINDOW_MS / (USE * limit * clients);
  const order = shuffledIndexes(Math.min(clients * 2, 2 ** 20), clients);
  const isAsync = limiter.decide(keyAt(0)) instanceof Promise;
  const run = isAsync ? decideAsync : decideAtOnce;
  const batch = limit >= 1_000 && rest.variant === 'throttler' ? 500 : 20_000;
  await run(limiter, keyAt, order, stepMs, batch);
  let decisions = 0;
  let granted = 0;
  const startMs = performance.now();
  const before = process.cpuUsage();
  let elapsedMs = 0;
  while (elapsedMs < seconds * 1000) {
    granted += await run(limiter, keyAt, order, stepMs, batch);
    decisions += batch;
    elapsedMs = performance.now() - startMs;
  }
  const { user, system } = process.cpuUsage(before);
  return { ns: ((user + system) * 1e3) / decisions, bytes, granted: granted / decisions };
}

function decideAtOnce(limiter, keyAt, order, stepMs, decisions) {
  let granted = 0;
  for (let count = 0; count < decisions; count++) {
    time.aheadMs += stepMs;
    if (limiter.decide(keyAt(nextOf(order)))) granted++;
  }
  return granted;
}

async function decideAsync(limiter, keyAt, order, stepMs, decisions) {
  let granted = 0;
  for (let count = 0; count < decisions; count++) {
    time.aheadMs += stepMs;
    if (await limiter.decide(keyAt(nextOf(order)))) granted++;
  }
  return granted;
}

/**
 * What a caller knows of each client when it consumes: the text of its address, the same object each time, or the number that
 * its connection keeps.
 */
function holdKeys({ keyOf }, clients) {
  if (keyOf === undefined) {
    const texts = Array.from({ length: clients }, (_, index) => addressOf(index));
    return index => texts[index];
  }
  const numbers = new Int32Array(clients * 2);
  for (let index = 0; index < clients; index++) {
    const { hi, lo } = keyOf(addressOf(index));
    numbers[index * 2] = hi;
    numbers[index * 2 + 1] = lo;
  }
  return index => ({ hi: numbers[index * 2], lo: numbers[index * 2 + 1] });
}

/** The longest single decision while the table grows from nothing to so many clients, none of them seen before. */
async function growth({ clients, limit, ...rest }) {
  const limiter = createLimiter({ limit, ...rest });
  const bytesBefore = usedBytes();
  const longest = await askNewClients(limiter, clients);
  // Here the keys are the table's own wherever it keeps them.
  return { ...longest, bytes: (usedBytes() - bytesBefore) / clients };
}

/** One client over its limit, then so many new ones: who is still remembered, and in how much memory? */
async function flood({ clients, limit, ...rest }) {
  const limiter = createLimiter({ limit, ...rest });
  const offender = (limiter.keyOf ?? (text => text))('192.0.2.1');
  for (let hit = 0; hit <= limit; hit++) await limiter.decide(offender);
  const bytesBefore = usedBytes();
  const longest = await askNewClients(limiter, clients);
  const megabytes = (usedBytes() - bytesBefore) / 1e6;
  return { ...longest, megabytes, size: limiter.size(), offenderRejected: !(await limiter.decide(offender)) };
}

async function askNewClients(limiter, clients) {
  const { keyOf = text => text } = limiter;
  let longestMs = 0;
  let over1ms = 0;
  const startMs = performance.now();
  for (let index = 0; index < clients; index++) {
    const key = keyOf(addressOf(index));
    const requestedMs = performance.now();
    const decision = limiter.decide(key);
    if (decision instanceof Promise) await decision;
    const tookMs = performance.now() - requestedMs;
    if (tookMs > 1) over1ms++;
    if (tookMs > longestMs) longestMs = tookMs;
  }
  return { longestMs, over1ms, ns: ((performance.now() - startMs) * 1e6) / clients };
}

function usedBytes() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Indexes in an order that no cache foresees; the same in every process. */
function shuffledIndexes(length, clients) {
  const indexes = new Uint32Array(length);
  let state = 0x9e3779b9;
  for (let index = 0; index < length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    indexes[index] = (state >>> 0) % clients;
  }
  return Object.assign(indexes, { at: 0 });
}

function nextOf(order) {
  const index = order[order.at];
  order.at = order.at + 1 === order.length ? 0 : order.at + 1;
  return index;
}

const settings = JSON.parse(process.argv[2]);
const answer = await { speed, growth, flood }[settings.question](settings);
process.send(answer, () => process.exit());
