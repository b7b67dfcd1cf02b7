/* The same random steps in this process's memory and in Redis: all decisions are equal, to the last number. */
import { adjust, type Charge, EVERY_POLICY, consume, type QuotaDecision } from '../../src/limiter/consume.js';
import { hashKey } from '../../src/common/hash-key.js';
import type { Policy } from '../../src/limiter/policy.js';
import type { StoredCharge } from '../../src/limiter/store/quota-store.js';
import { QuotaTable } from '../../src/limiter/table/quota-table.js';
import { readClient } from '../../src/redis/read-client.js';
import { RedisQuotas } from '../../src/redis/redis-quotas.js';
import { seededNumbers } from '../fixtures/cells.js';
import { describeWithRedis, startRedis, type RedisServer } from '../support/redis.js';
import { CLIENTS, type ConnectedClient } from '../support/redis-clients.js';
import { createPolicy, type PolicyParts } from '../../src/limiter/create-policy.js';

/** A group of policies as a route has it, how far apart its steps are, and whether charges are settled between them. */
type Row = [
  title: string,
  groups: readonly (readonly PolicyParts[])[],
  stepMs: number,
  maxCost: number,
  settles?: boolean,
];

const second = 1_000;
const minute = 60_000;
const day = 86_400_000;

const rows: Row[] = [
  ['a sliding window', [[{ limit: 10, windowMs: second }]], 120, 1],
  ['a sliding window of batches', [[{ limit: 100, windowMs: minute }]], 700, 3],
  ['a sliding window of several milliseconds a tick', [[{ limit: 29, windowMs: day }]], 4_000_000, 2],
  ['a window of a millisecond', [[{ limit: 3, windowMs: 1 }]], 2, 2],
  ['a window of a fraction', [[{ limit: 3, windowMs: 100.5 }]], 30, 2],
  ['a large limit', [[{ limit: 1_000_000, windowMs: minute }]], 2_000, 60_000],
  ['a fixed window', [[{ limit: 10, windowMs: second, algorithm: 'fixed-window' }]], 120, 2],
  ['a token bucket', [[{ limit: 10, windowMs: second, algorithm: 'token-bucket' }]], 90, 2],
  [
    'a token bucket with a burst',
    [[{ limit: 7, windowMs: second, algorithm: 'token-bucket', burst: 20 }]],
    140,
    4,
  ],
  [
    'a token bucket faster than the clock',
    [[{ limit: 50_000, windowMs: second, algorithm: 'token-bucket', burst: 300 }]],
    3,
    200,
  ],
  ['a block', [[{ limit: 5, windowMs: second, blockMs: 3_000 }]], 170, 2],
  ['a block shorter than the window', [[{ limit: 15, windowMs: second, blockMs: 200 }]], 50, 2],
  [
    'two windows',
    [
      [
        { limit: 10, windowMs: second },
        { limit: 100, windowMs: minute },
      ],
    ],
    150,
    1,
  ],
  [
    'three algorithms under one key',
    [
      [
        { limit: 10, windowMs: second },
        { limit: 30, windowMs: 10_000, algorithm: 'fixed-window' },
        { limit: 50, windowMs: 20_000, algorithm: 'token-bucket' },
      ],
    ],
    150,
    2,
  ],
  [
    'two alike under one key',
    [
      [
        { limit: 10, windowMs: second },
        { limit: 12, windowMs: second },
      ],
    ],
    120,
    1,
  ],
  [
    'two partition keys',
    [
      [{ limit: 10, windowMs: second }],
      [
        { limit: 25, windowMs: 3_000, algorithm: 'token-bucket' },
        { limit: 40, windowMs: 9_000 },
      ],
    ],
    120,
    2,
  ],
  [
    'a policy in shadow mode beside an equal one',
    [
      [
        { limit: 5, windowMs: second, shadow: true },
        { limit: 10, windowMs: second },
      ],
    ],
    110,
    2,
  ],
  [
    'every algorithm in shadow mode',
    [
      [
        { limit: 15, windowMs: second },
        { limit: 4, windowMs: second, blockMs: 1_500, shadow: true },
        { limit: 6, windowMs: second, algorithm: 'fixed-window', shadow: true },
        { limit: 6, windowMs: second, algorithm: 'token-bucket', shadow: true },
      ],
    ],
    120,
    2,
  ],
  ['a concurrency limit', [[{ limit: 5, windowMs: 12_000, algorithm: 'concurrency' }]], 700, 2],
  [
    'a concurrency limit with releases',
    [[{ limit: 5, windowMs: 12_000, algorithm: 'concurrency' }]],
    300,
    2,
    true,
  ],
  ['a settled window', [[{ limit: 10, windowMs: second }]], 60, 3, true],
  ['a settled window of batches', [[{ limit: 100, windowMs: minute }]], 300, 9, true],
  ['a settled window of ticks', [[{ limit: 50, windowMs: day }]], 900_000, 5, true],
  ['a settled fixed window', [[{ limit: 10, windowMs: second, algorithm: 'fixed-window' }]], 60, 3, true],
  [
    'a settled fixed window of a fraction',
    [[{ limit: 10, windowMs: 100.5, algorithm: 'fixed-window' }]],
    8,
    3,
    true,
  ],
  [
    'a settled bucket',
    [[{ limit: 10, windowMs: second, algorithm: 'token-bucket', burst: 15 }]],
    50,
    3,
    true,
  ],
  ['a settled block', [[{ limit: 8, windowMs: second, blockMs: 2_000 }]], 70, 2, true],
  [
    'a settled budget beside a concurrency limit',
    [
      [
        { limit: 8, windowMs: second },
        { limit: 60, windowMs: minute, algorithm: 'fixed-window' },
      ],
      [{ limit: 3, windowMs: 6_000, algorithm: 'concurrency' }],
    ],
    200,
    1,
    true,
  ],
];

/** Steps of each row and client. */
const STEPS = 4_000;
const CLIENTS_OF_A_ROW = 3;

/** Memory counts in fractions of milliseconds, the script in whole ones. */
function rounded({ granted, policyStates }: QuotaDecision): unknown {
  return {
    granted,
    policyStates: policyStates.map(({ policy, remaining, resetMs, violated }) => ({
      name: policy.name,
      remaining,
      resetMs: Math.max(0, Math.ceil(resetMs - 1e-6)),
      violated,
    })),
  };
}

describeWithRedis('memory and Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => void (redis = await startRedis()));

  describe.each(CLIENTS)('through %s', (_title, connect) => {
    let connected: ConnectedClient;
    beforeAll(async () => void (connected = await connect([redis.port])));

    it.each(rows)('%s: the same decisions', async (title, groups, stepMs, maxCost, settles = false) => {
      // Memory's clock is monotonic and small; at today's date its bucket would lose fractions of milliseconds.
      let nowMs = 5_000_000;
      const below = seededNumbers(title.length);
      const store = new RedisQuotas({
        runner: readClient('client', connected.client),
        prefix: `${title}:${_title}:`,
        now: () => nowMs,
        maxDenials: 0,
      });
      const tables = groups.map(parts => new QuotaTable(parts.map(createPolicy), 1_000));
      const step = (policies: readonly (readonly Policy[])[]): [Charge[], StoredCharge[]] => {
        const client = `10.0.0.${below(CLIENTS_OF_A_ROW)}`;
        const cost =
          maxCost === 1 ? 1 : below(20) === 0 ? below(groups[0]![0]!.limit + 3) : below(maxCost + 1);
        return [
          tables.map((table, group) => ({
            table,
            mask: EVERY_POLICY,
            key: hashKey(`${group}:${client}`),
            cost,
          })),
          policies.map((each, group) => ({
            key: `scope${group}:${client}`,
            scope: `scope${group}`,
            partitionKey: client,
            policies: each,
            cost,
          })),
        ];
      };
      // Charges to settle later.
      const charged: { charges: Charge[]; stored: StoredCharge[]; atMs: number; units: number }[] = [];
      let rejections = 0;
      for (let at = 0; at < STEPS;) {
        // Steps of the same moment share a call.
        const together = 1 + below(40);
        const expected: QuotaDecision[] = [];
        const answers: Promise<QuotaDecision>[] = [];
        for (let index = 0; index < together; index++, at++) {
          const settled = settles && below(3) === 0 ? charged[below(charged.length)] : undefined;
          if (settled !== undefined) {
            const { atMs } = settled;
            // Sometimes the actual cost exceeds the estimate.
            const units = below(6) === 0 ? 1 + below(4) : -(1 + below(settled.units));
            settled.units += Math.min(0, units);
            if (settled.units === 0) charged.splice(charged.indexOf(settled), 1);
            expected.push(adjust(settled.charges, { units, chargedMs: atMs }, nowMs));
            answers.push(store.settle(settled.stored, units, nowMs - atMs));
            continue;
          }
          const [charges, stored] = step(tables.map(({ policies }) => policies));
          const decision = consume(charges, nowMs);
          if (!decision.granted) rejections++;
          else if (stored[0]!.cost > 0)
            charged.push({ charges, stored, atMs: nowMs, units: stored[0]!.cost });
          if (charged.length > 20) charged.shift();
          expected.push(decision);
          answers.push(store.consume(stored));
        }
        expect((await Promise.all(answers)).map(rounded)).toEqual(expected.map(rounded));
        // Mostly small steps, sometimes a long pause.
        nowMs += below(50) === 0 ? below(stepMs * 100) : below(stepMs * 8);
      }
      expect(rejections).toBeGreaterThan(STEPS / 100);
      expect(rejections).toBeLessThan(STEPS);
    });
  });
});
