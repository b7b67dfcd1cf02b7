/* Compares each algorithm with its model, in this process's memory and in Redis, over the same table of cases. `MODEL_STEPS=1000000` runs a
 * million steps for each algorithm and place. */
import { adjust, EVERY_POLICY, consume, type QuotaDecision } from '../../src/limiter/consume.js';
import { hashKey } from '../../src/common/hash-key.js';
import type { Policy } from '../../src/limiter/policy.js';
import { QuotaTable } from '../../src/limiter/table/quota-table.js';
import { readClient } from '../../src/redis/read-client.js';
import { RedisQuotas } from '../../src/redis/redis-quotas.js';
import { seededNumbers } from '../fixtures/cells.js';
import { MODEL_CASES, type Model, type ModelCase, type ModelCharge } from '../fixtures/quota-models.js';
import { describeWithRedis, type RedisServer, startRedis } from '../support/redis.js';
import { CLIENTS } from '../support/redis-clients.js';
import { createPolicy } from '../../src/limiter/create-policy.js';

const STEPS = Number(process.env['MODEL_STEPS'] ?? 4_000);
const CLIENTS_OF_A_CASE = 3;

interface Counts {
  consume(client: string, cost: number): QuotaDecision | Promise<QuotaDecision>;
  settle(client: string, units: number, chargedMs: number): QuotaDecision | Promise<QuotaDecision>;
}

function inMemory(policy: Policy, now: () => number): Counts {
  const table = new QuotaTable([policy], 100);
  const charge = (client: string) => ({ table, mask: EVERY_POLICY, key: hashKey(client) });
  return {
    consume: (client, cost) => consume([{ ...charge(client), cost }], now()),
    settle: (client, units, chargedMs) => adjust([charge(client)], { units, chargedMs }, now()),
  };
}

function inRedis(store: RedisQuotas, policy: Policy, now: () => number): Counts {
  const charge = (client: string, cost: number) => ({
    key: `all:${client}`,
    scope: 'all',
    partitionKey: client,
    policies: [policy],
    cost,
  });
  return {
    consume: (client, cost) => store.consume([charge(client, cost)]),
    settle: (client, units, chargedMs) => store.settle([charge(client, 0)], units, now() - chargedMs),
  };
}

type Create = (title: string, policy: Policy, now: () => number) => Counts;

async function compare(
  { title, parts, stepMs, maxCost, settles, createModel }: ModelCase,
  steps: number,
  create: Create,
): Promise<void> {
  let nowMs = 1_000_000;
  const below = seededNumbers(title.length + steps);
  const counts = create(title, createPolicy(parts), () => nowMs);
  const models = Array.from({ length: CLIENTS_OF_A_CASE }, (): [Model, ModelCharge[]] => [
    createModel(parts),
    [],
  ]);
  let granted = 0;
  let rejected = 0;
  for (let step = 0; step < steps;) {
    nowMs += below(50) === 0 ? below(stepMs * 100) : below(stepMs * 8);
    // The clients' steps of one moment share a call. A client waits for its last decision.
    const round = models.map(async ([model, charges], index) => {
      const client = `10.0.0.${index}`;
      const where = `step ${step} of ${title}`;
      const [least, most] = model.offers(nowMs);
      const charge = charges[below(charges.length + 1)];
      if (settles && charge !== undefined && below(3) === 0) {
        const units = 1 + below(charge.units);
        if (units === charge.units) charges.splice(charges.indexOf(charge), 1);
        model.refund(nowMs, charge, units);
        const { policyStates } = await counts.settle(client, -units, charge.atMs);
        check(policyStates[0]!.remaining, model.offers(nowMs), 0, where);
        return;
      }
      const cost = 1 + below(maxCost);
      if (settles && below(12) === 0) {
        charges.push(model.charge(nowMs, cost));
        const { policyStates } = await counts.settle(client, cost, nowMs);
        check(policyStates[0]!.remaining, model.offers(nowMs), 0, where);
        return;
      }
      const decision = await counts.consume(client, cost);
      if (decision.granted ? most < cost : least >= cost)
        throw new Error(`wrongly ${decision.granted ? 'granted' : 'rejected'} at ${where}`);
      check(decision.policyStates[0]!.remaining, [least, most], decision.granted ? cost : 0, where);
      if (!decision.granted) rejected++;
      else {
        granted++;
        charges.push(model.charge(nowMs, cost));
        if (charges.length > 15) charges.shift();
      }
    });
    await Promise.all(round);
    step += round.length;
  }
  expect(granted).toBeGreaterThan(steps / 20);
  expect(rejected).toBeGreaterThan(steps / 200);
}

function check(
  remaining: number,
  [least, most]: readonly [number, number],
  charged: number,
  where: string,
): void {
  if (remaining >= Math.max(0, least - charged) && remaining <= Math.max(0, most - charged)) return;
  throw new Error(`${remaining} remain where ${least} to ${most} less ${charged} are right, at ${where}`);
}

describeWithRedis('the algorithms against their models', () => {
  let redis: RedisServer;
  let store: (prefix: string, now: () => number) => RedisQuotas;
  beforeAll(async () => {
    redis = await startRedis();
    const { client } = await CLIENTS[0]![1]([redis.port]);
    const runner = readClient('client', client);
    store = (prefix, now) => new RedisQuotas({ runner, prefix, now, maxDenials: 0 });
  });

  const places: [title: string, create: Create][] = [
    ['in memory', (_title, policy, now) => inMemory(policy, now)],
    ['in Redis', (title, policy, now) => inRedis(store(`${title}:`, now), policy, now)],
  ];
  describe.each(places)('%s', (_place, create) => {
    describe.each(Object.entries(MODEL_CASES))('%s', (algorithm, cases) => {
      it.each(cases)(
        '$title: no difference',
        async each => {
          const title = `${algorithm} ${each.title}`;
          const steps = Math.ceil(STEPS / cases.length);
          await expect(compare({ ...each, title }, steps, create)).resolves.toBeUndefined();
        },
        1_800_000,
      );
    });
  });
});
