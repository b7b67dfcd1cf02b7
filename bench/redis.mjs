/* How many decisions a second does one process get from Redis, how long does each take, and how many round trips does it cost? */
import { once } from 'node:events';
import { CAN_PIN, LOAD_CORE, startNode } from './support/child.mjs';
import { fixed, median, percent, printTable, ratio, spread, whole } from './support/figures.mjs';
import { alternate } from './support/measure.mjs';
import { readOptions, select } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';
import { freePort, HAS_REDIS, startRedis } from './support/redis.mjs';

/** Clients whose quotas are consumed, in random order. They never reach a limit, except in the rows of denied clients. */
const CLIENTS = 10_000;
const HIGH = 1_000_000;
/** The limiters with one limit take the first. */
const WINDOWS_MS = [60_000, 1_000, 3_600_000];

/** Each makes `decide(client)` for so many limits. */
const LIMITERS = {
  'throttler-storage-redis': async (redis, limits) => {
    const { ThrottlerStorageRedisService } = await import('@nest-lab/throttler-storage-redis');
    const storage = new ThrottlerStorageRedisService(redis);
    return async client => {
      for (let index = 0; index < limits; index++) {
        await storage.increment(
          `${client}:${index}`,
          WINDOWS_MS[index],
          HIGH,
          WINDOWS_MS[index],
          `limit${index}`,
        );
      }
    };
  },
  'rate-limiter-flexible': async redis => {
    const { RateLimiterRedis } = await import('rate-limiter-flexible');
    const limiter = new RateLimiterRedis({
      storeClient: redis,
      points: HIGH,
      duration: WINDOWS_MS[0] / 1000,
      keyPrefix: 'rlf',
    });
    return client => limiter.consume(client, 1);
  },
  'rate-limit-redis': async redis => {
    const { RedisStore } = await import('rate-limit-redis');
    const store = new RedisStore({
      sendCommand: (command, ...args) => redis.call(command, ...args),
      prefix: 'rlr:',
    });
    store.init({ windowMs: WINDOWS_MS[0] });
    return client => store.increment(client);
  },
  '@fastify/rate-limit': async redis => {
    const { default: RedisStore } = await import('@fastify/rate-limit/store/RedisStore.js');
    const store = new RedisStore(false, false, redis);
    return client =>
      new Promise((resolve, reject) =>
        store.incr(client, (error, counts) => (error ? reject(error) : resolve(counts)), WINDOWS_MS[0], HIGH),
      );
  },
  ours: (redis, limits) => ours(redis, limits),
  'ours, denied': (redis, limits) => ours(redis, limits, 1),
  'ours, node-redis': async (_redis, limits, url) => {
    const { createClient } = await import('redis');
    return ours(await createClient({ url }).connect(), limits);
  },
};

async function ours(redis, limits, limit = HIGH) {
  const { RedisQuotaStore } = await import('../dist/redis/index.js');
  const { createPolicy } = await import('../dist/limiter/create-policy.js');
  const store = new RedisQuotaStore({ client: redis });
  const policies = WINDOWS_MS.slice(0, limits).map(windowMs => createPolicy({ limit, windowMs }));
  return client =>
    store.consume([
      { key: `all:${client}`, scope: 'all', partitionKey: client, isAddress: true, policies, cost: 1 },
    ]);
}

const ONE_LIMIT = Object.keys(LIMITERS);
const THREE_LIMITS = ['throttler-storage-redis', 'ours', 'ours, node-redis'];

if (process.send === undefined) await measure();
else await answer(JSON.parse(process.argv[2]));

/** The measured process: each caller sends the next decision as soon as it has the answer to the last. */
async function answer({ variant, limits, callers, seconds, url }) {
  const { Redis } = await import('ioredis');
  const redis = new Redis(url);
  const decide = await LIMITERS[variant](redis, limits, url);
  await decide('10.0.0.0');
  const measurement = { runs: true };
  let latencies = [];
  const caller = async seed => {
    let state = seed * 2_654_435_761 + 1;
    while (measurement.runs) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const index = (state >>> 8) % CLIENTS;
      const startMs = performance.now();
      await decide(`10.0.${index >> 8}.${index & 255}`);
      latencies.push(performance.now() - startMs);
      // Decisions that need no call to Redis would never leave the event loop to others.
      if (latencies.length % 64 === 0) await nextTurn();
    }
  };
  const all = Array.from({ length: callers }, (_, index) => caller(index + 1));
  await elapse(seconds / 4);
  latencies = [];
  const commandsBefore = await calls(redis);
  const redisBefore = await redisCpuUs(redis);
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  await elapse(seconds);
  const tookMs = performance.now() - startMs;
  const cpu = process.cpuUsage(cpuBefore);
  const redisUs = (await redisCpuUs(redis)) - redisBefore;
  const measured = latencies;
  latencies = [];
  const commands = (await calls(redis)) - commandsBefore;
  measurement.runs = false;
  await Promise.all(all);
  const sorted = Float64Array.from(measured).toSorted();
  const at = share => sorted[Math.floor(sorted.length * share)] * 1000;
  const result = {
    rate: (sorted.length / tookMs) * 1000,
    p50: at(0.5),
    p99: at(0.99),
    calls: commands / sorted.length,
    cpuUs: (cpu.user + cpu.system) / sorted.length,
    redisUs: redisUs / sorted.length,
  };
  process.send(result, () => process.exit());
}

function nextTurn() {
  return new Promise(resolve => setImmediate(resolve));
}

function elapse(seconds) {
  return new Promise(resolve => setTimeout(resolve, seconds * 1000));
}

/** Calls of scripts that clients have sent. */
async function calls(redis) {
  const text = await redis.info('commandstats');
  let sum = 0;
  for (const [, name, count] of text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (name === 'evalsha' || name === 'eval') sum += Number(count);
  }
  return sum;
}

async function redisCpuUs(redis) {
  const text = await redis.info('cpu');
  const [user, system] = ['user', 'sys'].map(kind =>
    Number(new RegExp(`^used_cpu_${kind}:([\\d.]+)`, 'm').exec(text)[1]),
  );
  return (user + system) * 1e6;
}

async function measure() {
  const options = readOptions({ rounds: 5, seconds: 2 });
  if (!HAS_REDIS) {
    console.error('bench: redis left out: redis-server is not installed');
    return;
  }
  prepare();
  const callers = options.smoke ? [8] : [1, 64, 512];
  const runs = callers.flatMap(count => [
    ...ONE_LIMIT.map(variant => ({ variant, limits: 1, callers: count })),
    ...THREE_LIMITS.map(variant => ({ variant, limits: 3, callers: count })),
  ]);
  const selected = select(runs, options.only, ['variant', 'limits', 'callers']);
  const rounds = options.smoke ? 1 : options.rounds;
  const seconds = options.smoke ? 0.05 : options.seconds;
  const results = await alternate(selected, rounds, run => runOnce(run, seconds));
  console.log(`\n## Over Redis\n`);
  console.log(
    `Node ${process.versions.node}; Redis on one core, Node on another: ${CAN_PIN ? 'yes' : 'no'}.`,
  );
  for (const count of callers)
    print(
      selected.filter(run => run.callers === count),
      results,
      count,
    );
}

function print(group, results, callers) {
  if (group.length === 0) return;
  const of = (run, field) => median(results.get(run).map(result => result[field]));
  const isPeer = ({ variant }) => !variant.startsWith('ours');
  const base = limits => {
    const rates = group.filter(run => run.limits === limits && isPeer(run)).map(run => of(run, 'rate'));
    return rates.length === 0 ? undefined : Math.max(...rates);
  };
  printTable(
    `${callers} callers`,
    [
      'limiter',
      'limits',
      'decisions/s',
      'spread',
      '× best peer',
      'p50 µs',
      'p99 µs',
      'calls a decision',
      'Node CPU µs',
      'Redis CPU µs',
    ],
    group.map(run => [
      run.variant,
      run.limits,
      whole(of(run, 'rate')),
      percent(spread(results.get(run).map(({ rate }) => rate))),
      ratio(of(run, 'rate'), base(run.limits)),
      whole(of(run, 'p50')),
      whole(of(run, 'p99')),
      fixed(of(run, 'calls'), 3),
      fixed(of(run, 'cpuUs'), 2),
      fixed(of(run, 'redisUs'), 2),
    ]),
  );
}

/** Each run has a Redis and a process of its own, so that it starts without keys. */
async function runOnce(run, seconds) {
  const port = await freePort();
  const redis = await startRedis(port);
  const child = startNode(LOAD_CORE, '../redis.mjs', { ...run, seconds, url: `redis://127.0.0.1:${port}` });
  try {
    return await child.next();
  } finally {
    await child.stop();
    redis.kill();
    await once(redis, 'exit');
  }
}
