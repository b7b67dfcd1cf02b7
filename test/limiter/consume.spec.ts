import type { Key64 } from '../../src/common/ip-address.js';
import { type Charge, EVERY_POLICY, consume } from '../../src/limiter/consume.js';
import type { Policy } from '../../src/limiter/policy.js';
import { QuotaTable } from '../../src/limiter/table/quota-table.js';
import { seededNumbers } from '../fixtures/cells.js';
import { createPolicy } from '../../src/limiter/create-policy.js';

const ALICE: Key64 = { hi: 1, lo: 2 };
const BOB: Key64 = { hi: 1, lo: 3 };
const sliding = (limit: number, windowMs: number): Policy => createPolicy({ limit, windowMs });
const charge = (table: QuotaTable, key = ALICE, cost = 1, mask = EVERY_POLICY): Charge => ({
  table,
  mask,
  key,
  cost,
});
const remaining = (charges: readonly Charge[], nowMs: number): number[] =>
  consume(
    charges.map(each => ({ ...each, cost: 0 })),
    nowMs,
  ).policyStates.map(policyState => policyState.remaining);

describe('consume', () => {
  it('charges every policy when each grants', () => {
    const charges = [charge(new QuotaTable([sliding(2, 1_000), sliding(5, 60_000)], 100))];
    expect(consume(charges, 0)).toMatchObject({
      granted: true,
      policyStates: [
        { remaining: 1, resetMs: 1_000, violated: false },
        { remaining: 4, resetMs: 60_000, violated: false },
      ],
    });
  });

  it('charges none when one denies', () => {
    const charges = [charge(new QuotaTable([sliding(1, 1_000), sliding(5, 60_000)], 100))];
    consume(charges, 0);
    for (let attempt = 0; attempt < 20; attempt++) {
      expect(consume(charges, 400)).toMatchObject({
        granted: false,
        policyStates: [
          { remaining: 0, resetMs: 600, violated: true },
          { remaining: 4, violated: false },
        ],
      });
    }
    expect(remaining(charges, 1_000)).toEqual([1, 4]);
  });

  it('charges no quota of several when another one denies, in either order', () => {
    for (const order of [0, 1]) {
      const wide = new QuotaTable([sliding(10, 60_000)], 100);
      const narrow = new QuotaTable([sliding(1, 60_000)], 100);
      const charges = order === 0 ? [charge(wide), charge(narrow, BOB)] : [charge(narrow, BOB), charge(wide)];
      expect([consume(charges, 0).granted, consume(charges, 0).granted]).toEqual([true, false]);
      expect(remaining([charge(wide)], 0)).toEqual([9]);
    }
  });

  it('leaves out the policies that its mask leaves out', () => {
    const table = new QuotaTable([sliding(1, 1_000), sliding(5, 60_000)], 100);
    consume([charge(table)], 0);
    const decision = consume([charge(table, ALICE, 1, 0b10)], 0);
    expect([decision.granted, decision.policyStates.map(({ remaining: left }) => left)]).toEqual([true, [3]]);
  });

  it('takes a cost of several units, and denies more than is left', () => {
    const charges = [charge(new QuotaTable([sliding(10, 1_000)], 100), ALICE, 4)];
    expect([0, 0, 0].map(nowMs => consume(charges, nowMs).granted)).toEqual([true, true, false]);
    expect(remaining(charges, 0)).toEqual([2]);
  });

  it('reports that a cost above the whole limit is never granted', () => {
    const { granted, policyStates } = consume(
      [charge(new QuotaTable([sliding(3, 1_000)], 100), ALICE, 4)],
      0,
    );
    expect([granted, policyStates[0]!.resetMs, policyStates[0]!.violated]).toEqual([false, Infinity, true]);
  });

  it('grants a cost of 0 to a client that has nothing left, and takes nothing', () => {
    const table = new QuotaTable([sliding(1, 1_000)], 100);
    consume([charge(table)], 0);
    expect(consume([charge(table, ALICE, 0)], 0)).toMatchObject({
      granted: true,
      policyStates: [{ remaining: 0 }],
    });
    expect(remaining([charge(table)], 1_000)).toEqual([1]);
  });

  it('keeps clients apart', () => {
    const table = new QuotaTable([sliding(1, 1_000)], 100);
    expect([consume([charge(table)], 0).granted, consume([charge(table, BOB)], 0).granted]).toEqual([
      true,
      true,
    ]);
  });

  it('reports a wait for each denial after which the same request is granted, over 20 000 random requests', () => {
    const below = seededNumbers(21);
    const tables = [
      new QuotaTable([sliding(5, 1_000), sliding(40, 20_000)], 1_000),
      new QuotaTable([createPolicy({ limit: 8, windowMs: 2_000, algorithm: 'token-bucket' })], 1_000),
      new QuotaTable([createPolicy({ limit: 30, windowMs: 10_000, algorithm: 'fixed-window' })], 1_000),
    ];
    let nowMs = 0;
    let rejections = 0;
    for (let step = 0; step < 20_000; step++) {
      nowMs += below(120);
      const key = { hi: 0, lo: below(3) };
      const charges = tables.filter(() => below(4) > 0).map(table => charge(table, key, 1 + below(3)));
      const decision = consume(charges, nowMs);
      const expected = !decision.policyStates.some(({ violated }) => violated);
      if (decision.granted !== expected) throw new Error(`step ${step}`);
      for (const { remaining: left, policy } of decision.policyStates) {
        if (left < 0 || left > policy.limit) throw new Error(`remaining ${left}, step ${step}`);
      }
      if (decision.granted) continue;
      rejections++;
      nowMs = Math.ceil(
        nowMs + Math.max(...decision.policyStates.map(({ violated, resetMs }) => (violated ? resetMs : 0))),
      );
      if (!consume(charges, nowMs).granted) throw new Error(`denied after its wait, step ${step}`);
    }
    expect(rejections).toBeGreaterThan(500);
  });
});
