// One of several processes on one quota. At each moment that it is told of it asks without pause until it is refused again and again, and
// writes down what was granted, a line each.
import { writeSync } from 'node:fs';
import { Redis } from 'ioredis';
import { createPolicy } from '../../dist/limiter/policy.js';
import { RedisQuotaStore } from '../../dist/redis/index.js';

const { url, parts, callers } = JSON.parse(process.argv[2]);
const client = new Redis(url);
let nowMs = 0;
const store = new RedisQuotaStore({ client, deadlineMs: 60_000, maxDenials: 0, now: () => nowMs });
const charges = [{ key: 'all:shared', policies: [createPolicy(parts)], cost: 1 }];

async function ask() {
  for (let rejections = 0; rejections < 3;) {
    const { granted } = await store.consume(charges);
    if (granted) writeSync(1, `${nowMs}\n`);
    else rejections++;
  }
}

await client.ping();
process.on('message', async message => {
  nowMs = message.nowMs;
  for (let slot = 0; slot < message.releases; slot++) await store.settle(charges, -1, message.ageMs);
  await Promise.all(Array.from({ length: callers }, ask));
  process.send('done');
});
process.send('ready');
