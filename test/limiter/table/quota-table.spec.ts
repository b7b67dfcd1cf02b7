import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Key64 } from '../../../src/common/ip-address.js';
import type { Policy } from '../../../src/limiter/policy.js';
import { QuotaTable } from '../../../src/limiter/table/quota-table.js';
import { seededNumbers } from '../../fixtures/cells.js';
import { createPolicy } from '../../../src/limiter/create-policy.js';

const key = (client: number): Key64 => ({
  hi: Math.imul(client, 0x9e3779b1) ^ 0x5bd1e995,
  lo: client | 0,
});

function consume(table: QuotaTable, client: number, nowMs: number, cost = 1): boolean {
  const { hi, lo } = key(client);
  table.find(hi, lo, nowMs);
  for (let policy = 0; policy < table.policies.length; policy++) {
    if (table.available(policy, nowMs) < cost) return false;
  }
  for (let policy = 0; policy < table.policies.length; policy++) table.charge(policy, nowMs, cost);
  return true;
}

/** What the first policy has left for a client; all of it, for one that the table does not hold. */
function left(table: QuotaTable, client: number, nowMs: number): number {
  const { hi, lo } = key(client);
  table.find(hi, lo, nowMs);
  return table.available(0, nowMs);
}

const fixed = (limit: number, windowMs: number): Policy =>
  createPolicy({ limit, windowMs, algorithm: 'fixed-window' });
const sliding = (limit: number, windowMs: number): Policy => createPolicy({ limit, windowMs });

interface ModelWindow {
  hits: number;
  closesMs: number;
}

describe('QuotaTable against a Map', () => {
  it('grows through several indexes and chunks, deletes and sweeps over 500 000 operations', () => {
    const [limit, windowMs] = [3, 60_000];
    const table = new QuotaTable([fixed(limit, windowMs)], 1_000_000);
    const model = new Map<number, ModelWindow>();
    const below = seededNumbers(11);
    let nowMs = 0;
    let largest = 0;
    for (let step = 0; step < 500_000; step++) {
      // Time stands still while the table grows, then runs, so that most rows expire and are swept.
      if (step > 300_000) nowMs += below(3);
      const client = below(150_000);
      if (below(20) === 0) {
        const { hi, lo } = key(client);
        table.delete(hi, lo);
        model.delete(client);
        continue;
      }
      let own = model.get(client);
      if (own === undefined || nowMs >= own.closesMs) own = { hits: 0, closesMs: nowMs + windowMs };
      const granted = own.hits < limit;
      if (granted) own.hits++;
      model.set(client, own);
      if (consume(table, client, nowMs) !== granted) throw new Error(`step ${step}, client ${client}`);
      if (table.size > largest) largest = table.size;
    }
    // Twelve chunks of 8192 rows, and an index that grew ten times.
    expect(largest).toBeGreaterThan(100_000);
    let live = 0;
    for (const [client, own] of model) {
      if (nowMs >= own.closesMs) continue;
      live++;
      if (left(table, client, nowMs) !== limit - own.hits) throw new Error(`client ${client}`);
    }
    expect(live).toBeGreaterThan(1_000);
    expect(table.size).toBeGreaterThanOrEqual(live);
  });

  it('keeps several policies of a client apart, whatever their layout', () => {
    const policies = [
      sliding(5, 1_000),
      fixed(50, 10_000),
      sliding(20, 5_000),
      createPolicy({ limit: 7, windowMs: 1_000, algorithm: 'token-bucket' }),
      createPolicy({ limit: 3, windowMs: 1_000, blockMs: 500 }),
    ];
    const together = new QuotaTable(policies, 100_000);
    const alone = policies.map(policy => new QuotaTable([policy], 100_000));
    const below = seededNumbers(12);
    for (let step = 0; step < 60_000; step++) {
      const nowMs = step;
      const { hi, lo } = key(below(4_000));
      const index = below(policies.length);
      together.find(hi, lo, nowMs);
      alone[index]!.find(hi, lo, nowMs);
      const available = alone[index]!.available(0, nowMs);
      if (together.available(index, nowMs) !== available) throw new Error(`step ${step}, policy ${index}`);
      if (available > 0) {
        together.charge(index, nowMs, 1);
        alone[index]!.charge(0, nowMs, 1);
      }
    }
    expect(together.size).toBeGreaterThan(3_000);
  });

  it('finds, adds and deletes the right clients at every moment while its index grows', () => {
    // From 98 305 clients on, the index moves: 64 slots of 131 072 with each new client.
    const first = 98_304;
    const table = new QuotaTable([fixed(1_000, 60_000)], 1_000_000);
    const units = (client: number): number => 1 + (client % 7);
    for (let client = 0; client < first; client++) consume(table, client, 0, units(client));
    const below = seededNumbers(31);
    const deleted = new Set<number>();
    const wrongOf = (clients: number): number[] =>
      Array.from({ length: clients }, (_, client) => client).filter(client => {
        const isHeld = table.peek(key(client).hi, key(client).lo);
        return isHeld === deleted.has(client) || (isHeld && table.available(0, 0) !== 1_000 - units(client));
      });
    for (let client = first; client < first + 2_200; client++) {
      consume(table, client, 0, units(client));
      if (client % 150 === 0 && wrongOf(client + 1).length > 0) throw new Error(`client ${client}`);
      const gone = below(client);
      table.delete(key(gone).hi, key(gone).lo);
      deleted.add(gone);
    }
    expect(wrongOf(first + 2_200)).toEqual([]);
    expect(table.size).toBe(first + 2_200 - deleted.size);
  });

  it('keeps the remaining clients while chunks are freed and allocated again', () => {
    const table = new QuotaTable([fixed(1_000, 1_000)], 1_000_000);
    for (let client = 0; client < 50_000; client++) consume(table, client, 0);
    for (let client = 0; client < 49_990; client++) table.delete(key(client).hi, key(client).lo);
    expect(table.size).toBe(10);
    for (let client = 49_990; client < 50_000; client++) expect(left(table, client, 0)).toBe(999);
    for (let client = 0; client < 50_000; client++) consume(table, client, 0);
    const wrong = Array.from({ length: 50_000 }, (_, client) => left(table, client, 0)).filter(
      (units, client) => units !== (client < 49_990 ? 999 : 998),
    );
    expect(wrong).toEqual([]);
  });

  it('deletes one client only', () => {
    const table = new QuotaTable([fixed(1, 60_000)], 10_000);
    for (let client = 0; client < 5_000; client++) consume(table, client, 0);
    for (let client = 0; client < 5_000; client += 2) table.delete(key(client).hi, key(client).lo);
    expect(table.size).toBe(2_500);
    const kept = Array.from({ length: 5_000 }, (_, client) => left(table, client, 0) === 0);
    expect(kept.filter((found, client) => found !== (client % 2 === 1))).toEqual([]);
  });
});

describe('the sweep', () => {
  it('drops expired clients while new ones are added, so that the table does not grow for ever', () => {
    const table = new QuotaTable([sliding(10, 1_000)], 1_000_000);
    let largest = 0;
    for (let client = 0; client < 300_000; client++) {
      // 10 new clients a millisecond: 10 000 have an open window at any time.
      consume(table, client, Math.floor(client / 10));
      largest = Math.max(largest, table.size);
    }
    expect(largest).toBeLessThan(40_000);
  });
});

describe('the bound', () => {
  it('is never exceeded', () => {
    for (const maxClients of [1, 7, 100, 10_000]) {
      const table = new QuotaTable([sliding(10, 60_000)], maxClients);
      for (let client = 0; client < maxClients * 3 + 50; client++) {
        consume(table, client, 0);
        if (table.size > maxClients) throw new Error(`${table.size} of ${maxClients}`);
      }
      expect(table.size).toBe(maxClients);
    }
  });

  it('frees no client that has used up a limit, over a flood of 200 000 new keys', () => {
    const table = new QuotaTable([sliding(10, 60_000)], 20_000);
    const offenders = Array.from({ length: 200 }, (_, index) => 5_000_000 + index);
    for (const offender of offenders) for (let hit = 0; hit < 10; hit++) consume(table, offender, 0);
    for (let client = 0; client < 200_000; client++) consume(table, client, 1 + client / 20_000);
    const freed = offenders.filter(offender => consume(table, offender, 20));
    expect(freed).toEqual([]);
    expect(table.size).toBeLessThanOrEqual(20_000);
  }, 120_000);

  it('lets new clients share one row if all rows that it checks are used up', () => {
    const table = new QuotaTable([sliding(2, 60_000)], 100);
    for (let client = 0; client < 100; client++)
      expect([consume(table, client, 0), consume(table, client, 0)]).toEqual([true, true]);
    // Two units for all newcomers together, and none for those who are exhausted.
    expect([1_000, 1_001, 1_002, 1_003].map(client => consume(table, client, 0))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(Array.from({ length: 100 }, (_, client) => consume(table, client, 0))).not.toContain(true);
    expect(table.size).toBe(100);
  });

  it('gives new clients rows of their own again once the windows are empty', () => {
    const table = new QuotaTable([sliding(1, 1_000)], 50);
    for (let client = 0; client < 60; client++) consume(table, client, 0);
    expect([consume(table, 100, 1_000), consume(table, 101, 1_000)]).toEqual([true, true]);
  });

  it('evicts the client that has used the least', () => {
    const table = new QuotaTable([sliding(10, 60_000)], 4);
    [5, 1, 7, 9].forEach((hits, client) => {
      for (let hit = 0; hit < hits; hit++) consume(table, client, 0);
    });
    consume(table, 100, 0);
    // The evicted client comes last: reading a client creates its row.
    expect([0, 2, 3, 100, 1].map(client => left(table, client, 0))).toEqual([5, 3, 1, 9, 10]);
  });
});

describe('the bound, of buckets that hold more than their limit', () => {
  it.each([0, 1, 2, 3])('lets the one who used least of its burst give way: %i', least => {
    const bucket = createPolicy({ limit: 10, windowMs: 60_000, algorithm: 'token-bucket', burst: 100 });
    const table = new QuotaTable([bucket], 4);
    for (const client of [0, 1, 2, 3]) consume(table, client, 0, client === least ? 5 : 90);
    consume(table, 100, 0);
    const others = [0, 1, 2, 3].filter(client => client !== least);
    expect(others.map(client => left(table, client, 0))).toEqual([10, 10, 10]);
  });
});

describe('the memory', () => {
  const measured: [title: string, policies: readonly Policy[], clients: number][] = [
    ['100 000 clients of two windows', [sliding(10, 1_000_000), sliding(100, 3_600_000)], 100_000],
    [
      '100 000 clients of three windows',
      [sliding(10, 1_000_000), sliding(100, 3_600_000), sliding(1_000, 86_400_000)],
      100_000,
    ],
    ['150 000 clients of two windows', [sliding(10, 1_000_000), sliding(100, 3_600_000)], 150_000],
  ];
  /** The key's 64 bits, and its place in the index (32 bits, in an index of 1.3 to 2.7 slots a row). */
  const KEY_BYTES = 8 + 8;

  it.each(measured)(
    '%s: at most 40 bytes a client and window, beside the key',
    async (_title, policies, clients) => {
      const { bytes, size } = await bytesOf(() => {
        const table = new QuotaTable(policies, clients);
        for (let client = 0; client < clients; client++) consume(table, client, 0);
        return table;
      });
      expect(size).toBe(clients);
      expect((bytes / size - KEY_BYTES) / policies.length).toBeLessThanOrEqual(40);
    },
  );

  /** The array buffers that a table keeps, after those that it grew out of were collected. */
  async function bytesOf(make: () => QuotaTable): Promise<{ bytes: number; size: number }> {
    const before = await settledBytes();
    const table = make();
    return { bytes: (await settledBytes()) - before, size: table.size };
  }

  async function settledBytes(): Promise<number> {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    for (let turn = 0; turn < 6; turn++) {
      gc();
      await new Promise(resolve => setImmediate(resolve));
    }
    return process.memoryUsage().arrayBuffers;
  }
});

describe('QuotaTable with numbers that cannot be counted', () => {
  const unfit = [0, -1, 1.5, Number.NaN, Infinity, 1_000_000_001];

  it.each(unfit)('rejects a limit of %p', limit => {
    expect(() => new QuotaTable([fixed(5, 1_000), sliding(limit, 1_000)], 10)).toThrow(RangeError);
  });

  it.each(unfit)('rejects a burst of %p', burst => {
    const bucket = createPolicy({ limit: 5, windowMs: 1_000, algorithm: 'token-bucket', burst });
    expect(() => new QuotaTable([bucket], 10)).toThrow(RangeError);
  });

  it.each([0, -1, Number.NaN, Infinity])('rejects a window of %p', windowMs => {
    expect(() => new QuotaTable([sliding(5, windowMs)], 10)).toThrow(RangeError);
  });
});
