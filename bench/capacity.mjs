/* What does a client cost in Redis, and how many nodes do so many clients need? */
import { once } from 'node:events';
import { fixed, median, percent, printTable, spread, whole } from './support/figures.mjs';
import { readOptions } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';
import { freePort, HAS_REDIS, startRedis } from './support/redis.mjs';

const MINUTE = 60_000;
/** Each client uses its limits up, batch by batch, so that every window keeps as much as it ever will. */
const BATCHES = 14;
const SHAPES = [
  ['one sliding window', [{ limit: 100, windowMs: MINUTE }]],
  ['one sliding window, limit 1,000,000', [{ limit: 1_000_000, windowMs: MINUTE }]],
  [
    'two sliding windows (the default limits)',
    [
      { limit: 10, windowMs: 1_000 },
      { limit: 100, windowMs: MINUTE },
    ],
  ],
  [
    'three sliding windows',
    [
      { limit: 10, windowMs: 1_000 },
      { limit: 100, windowMs: MINUTE },
      { limit: 1_000, windowMs: 60 * MINUTE },
    ],
  ],
  ['one fixed window', [{ limit: 100, windowMs: MINUTE, algorithm: 'fixed-window' }]],
  ['one token bucket', [{ limit: 100, windowMs: MINUTE, algorithm: 'token-bucket' }]],
  ['concurrency', [{ limit: 10, windowMs: MINUTE, algorithm: 'concurrency' }]],
];
const DEFAULTS = 2;

/** For the second table. */
const CLIENTS = [100_000, 1_000_000, 10_000_000, 100_000_000];
const REQUESTS_A_MINUTE = 10;
/** Added to what is measured: fragmentation, replication buffers. */
const SPARE = 1.2;
const NODE_BYTES = 16e9;
/** Of a node's memory, and of its core. */
const FILLED = 0.5;

const options = readOptions({ rounds: 3, seconds: 1 });
if (HAS_REDIS) await measure();
else console.error('bench: capacity left out: redis-server is not installed');

async function measure() {
  prepare();
  const clients = options.smoke ? 200 : 50_000;
  const rounds = options.smoke ? 1 : options.rounds;
  const results = SHAPES.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, [title, parts]] of SHAPES.entries()) {
      console.error(`bench: round ${round + 1} of ${rounds}: ${title}`);
      results[index].push(await measureShape(parts, clients));
    }
  }
  const of = (index, field) => median(results[index].map(result => result[field]));
  console.log('\n## Capacity of Redis\n');
  console.log(
    `Node ${process.versions.node}; ${whole(clients)} clients, each of whom has used its limits up.`,
  );
  printTable(
    'A client',
    ['limits', 'MEMORY USAGE of its key', 'all that Redis keeps for it', 'Redis CPU µs a decision', 'spread'],
    SHAPES.map(([title], index) => [
      title,
      whole(of(index, 'keyBytes')),
      whole(of(index, 'bytes')),
      fixed(of(index, 'cpuUs'), 2),
      percent(spread(results[index].map(({ cpuUs }) => cpuUs))),
    ]),
  );
  const bytes = of(DEFAULTS, 'bytes') * SPARE;
  const cpuUs = of(DEFAULTS, 'cpuUs');
  printTable(
    `Nodes for ${SHAPES[DEFAULTS][0]}: ${NODE_BYTES / 1e9} GB each, memory and core ${FILLED * 100} % used`,
    [
      'clients within a minute',
      'memory',
      'nodes for memory',
      `decisions/s at ${REQUESTS_A_MINUTE} a minute`,
      'nodes for decisions',
    ],
    CLIENTS.map(count => {
      const decisions = (count * REQUESTS_A_MINUTE) / 60;
      return [
        whole(count),
        `${fixed((count * bytes) / 1e9, 2)} GB`,
        whole(Math.ceil((count * bytes) / NODE_BYTES / FILLED)),
        whole(decisions),
        whole(Math.ceil((decisions * cpuUs) / 1e6 / FILLED)),
      ];
    }),
  );
}

/** A Redis of its own for each, so that none inherits another's tables. */
async function measureShape(parts, clients) {
  const { Redis } = await import('ioredis');
  const { readClient } = await import('../dist/redis/read-client.js');
  const { RedisQuotas } = await import('../dist/redis/redis-quotas.js');
  const { createPolicy } = await import('../dist/limiter/create-policy.js');
  const port = await freePort();
  const server = await startRedis(port);
  const redis = new Redis(port);
  try {
    const policies = parts.map(createPolicy);
    let nowMs = Date.now();
    const store = new RedisQuotas({
      runner: readClient('client', redis),
      prefix: 'asec:',
      maxDenials: 0,
      now: () => nowMs,
    });
    const smallest = Math.min(...policies.map(({ limit }) => limit));
    const cost = Math.max(1, Math.floor(smallest / BATCHES));
    const nameOf = client => `10.${client >> 16}.${(client >> 8) & 255}.${client & 255}`;
    const increment = client =>
      store.consume([
        {
          key: `all:${nameOf(client)}`,
          scope: 'all',
          partitionKey: nameOf(client),
          isAddress: true,
          policies,
          cost,
        },
      ]);
    await increment(0);
    await redis.flushall();
    const before = await figure(redis, 'memory', 'used_memory');
    const cpuBefore = await cpuMicros(redis);
    for (let batch = 0; batch < BATCHES; batch++, nowMs += 20) {
      for (let first = 0; first < clients; first += 2_000) {
        const count = Math.min(2_000, clients - first);
        await Promise.all(Array.from({ length: count }, (_, index) => increment(first + index)));
      }
    }
    const cpuUs = ((await cpuMicros(redis)) - cpuBefore) / clients / BATCHES;
    const bytes = ((await figure(redis, 'memory', 'used_memory')) - before) / clients;
    const keyBytes = await redis.memory('USAGE', `asec:{${nameOf(7)}}all`);
    return { bytes, keyBytes, cpuUs };
  } finally {
    redis.disconnect();
    server.kill();
    await once(server, 'exit');
  }
}

async function figure(redis, section, name) {
  return Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(await redis.info(section))[1]);
}

async function cpuMicros(redis) {
  return ((await figure(redis, 'cpu', 'used_cpu_user')) + (await figure(redis, 'cpu', 'used_cpu_sys'))) * 1e6;
}
