// One of several processes on one quota: asks without pause and writes down what was granted, a line each.
import { writeSync } from 'node:fs';
import { Redis } from 'ioredis';
import { createPolicy } from '../../dist/rate-limit/policy.js';
import { RedisQuotaStore } from '../../dist/redis/index.js';

const { url, parts, forMs, callers } = JSON.parse(process.argv[2]);
const client = new Redis(url);
const store = new RedisQuotaStore({ client, deadlineMs: 5_000, maxRefusals: 0 });
const charges = [{ key: 'all:shared', policies: [createPolicy(parts)], cost: 1 }];

await client.ping();
process.send('ready');
await new Promise(resolve => process.once('message', resolve));
const endMs = Date.now() + forMs;
await Promise.all(
  Array.from({ length: callers }, async () => {
    while (Date.now() < endMs) {
      const { granted, standings } = await store.judge(charges);
      if (granted) writeSync(1, `${Date.now()} ${standings[0].remaining}\n`);
    }
  }),
);
client.disconnect();
process.exit();
