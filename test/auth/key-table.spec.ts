import fc from 'fast-check';
import { KeyTable } from '../../src/auth/key-table.js';
import type { ApiKeyRecord } from '../../src/identity/api-key-store.js';

const record = (id: string): ApiKeyRecord => ({
  id,
  digest: `digest of ${id}`,
  agent: { id: 'bot', scopes: [] },
});

describe('KeyTable', () => {
  it('finds every key among the two records of its ID', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 300 }), ids => {
        const table = new KeyTable(ids.map(record));
        for (const id of ids) expect(table.candidates(id).map(each => each.id)).toContain(id);
      }),
      { numRuns: 200 },
    );
  });

  it('has two records for an ID that it does not know, as for one that it does', () => {
    const table = new KeyTable([record('a')]);
    expect(table.candidates('a')).toHaveLength(2);
    expect(table.candidates('b')).toEqual([record('a'), record('a')]);
  });

  it('has nothing where there are no keys', () => expect(new KeyTable([]).candidates('a')).toEqual([]));

  it('holds ten thousand keys', () => {
    const ids = Array.from({ length: 10_000 }, (_, at) => `key-${at}`);
    const table = new KeyTable(ids.map(record));
    expect(ids.every(id => table.candidates(id).some(each => each.id === id))).toBe(true);
  });
});
