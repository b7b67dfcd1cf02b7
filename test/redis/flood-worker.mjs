// One of several processes that share a flood limit. It sends requests of one address for as long as it is told, and answers how many passed.
import { createPolicy } from '../../dist/limiter/create-policy.js';
import { QuotaEngine } from '../../dist/limiter/quota-engine.js';
import { SharedFlood } from '../../dist/limiter/shared-flood.js';
import { createRedisStore } from '../../dist/redis/index.js';

const { url, limit, perSecond } = JSON.parse(process.argv[2]);
const clock = { monotonicMs: () => performance.now(), epochMs: () => Date.now() };
const log = { log: () => undefined, warn: () => undefined, error: () => undefined };
const events = { isObserved: false, emit: () => undefined };
const store = await createRedisStore(url);
const engine = new QuotaEngine({ store, onStoreError: 'local', maxClients: 1_000 }, clock, log, events);
const flood = new SharedFlood(createPolicy({ name: 'flood', limit, windowMs: 3_600_000 }), engine, clock);
const client = { address: '192.0.2.1', key: { hi: 1, lo: 1 } };

process.on('message', requests => {
  let sent = 0;
  let admitted = 0;
  const timer = setInterval(() => {
    for (let index = 0; index < perSecond / 100 && sent < requests; index++, sent++)
      if (flood.consume(client).granted) admitted++;
    if (sent < requests) return;
    clearInterval(timer);
    process.send({ admitted });
  }, 10);
});
process.send({});
