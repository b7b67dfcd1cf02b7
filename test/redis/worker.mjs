// One of several processes on one quota. At each moment that it receives it consumes without pause until it is denied three times, and
// writes a line for each grant.
import { writeSync } from 'node:fs';
import { Redis } from 'ioredis';
import { createPolicy } from '../../dist/limiter/create-policy.js';
import { readClient } from '../../dist/redis/read-client.js';
import { RedisQuotas } from '../../dist/redis/redis-quotas.js';

const { url, parts, callers } = JSON.parse(process.argv[2]);
const client = new Redis(url);
let nowMs = 0;
const store = new RedisQuotas({
  runner: readClient('client', client),
  prefix: 'asec:',
  maxDenials: 0,
  now: () => nowMs,
});
const charges = [{ key: 'all:shared', policies: [createPolicy(parts)], cost: 1 }];

async function consume() {
  for (let rejections = 0; rejections < 3;) {
    const { granted } = await store.consume(charges);
    if (granted) writeSync(1, `${nowMs}\n`);
    else rejections++;
  }
}

await client.ping();
process.on('message', async message => {
  nowMs = message.nowMs;
  for (let lease = 0; lease < message.releases; lease++) await store.settle(charges, -1, message.ageMs);
  await Promise.all(Array.from({ length: callers }, consume));
  process.send('done');
});
process.send('ready');
