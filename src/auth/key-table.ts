/* Records of keys, found in the same steps whether the ID is known or not. An ID has two places in the table (cuckoo hashing), both are
 * always looked at, and no place is empty: what is found is two records, one of which may be the key's. Which one only the secret
 * tells, since the ID is part of what is signed; no ID is compared, so the time says nothing about it. */
import { hashKey } from '../common/hash-key.js';
import type { ApiKeyRecord } from '../identity/api-key-store.js';

const MAX_MOVES = 64;

export class KeyTable {
  readonly #places: readonly ApiKeyRecord[];

  constructor(records: readonly ApiKeyRecord[]) {
    this.#places = place(records);
  }

  /** Two records, or none of an empty table. */
  candidates(id: string): readonly ApiKeyRecord[] {
    const places = this.#places;
    if (places.length === 0) return places;
    const { hi, lo } = hashKey(id);
    return [places[hi & (places.length - 1)]!, places[lo & (places.length - 1)]!];
  }
}

function place(records: readonly ApiKeyRecord[]): readonly ApiKeyRecord[] {
  if (records.length === 0) return [];
  let size = 4;
  while (size < records.length * 3) size *= 2;
  for (;;) {
    const places = tryToPlace(records, size);
    if (places !== undefined) {
      // Any record does where there is none: it is one more that does not match.
      return Array.from(places, (record, at) => record ?? records[at % records.length]!);
    }
    size *= 2;
  }
}

/** Each newcomer pushes out whoever stands in its place, who goes to its other one. */
function tryToPlace(
  records: readonly ApiKeyRecord[],
  size: number,
): (ApiKeyRecord | undefined)[] | undefined {
  const places: (ApiKeyRecord | undefined)[] = Array.from({ length: size });
  for (const record of records) {
    let homeless: ApiKeyRecord | undefined = record;
    let at = hashKey(record.id).hi & (size - 1);
    for (let moves = 0; homeless !== undefined; moves++) {
      if (moves > MAX_MOVES) return undefined;
      const pushed: ApiKeyRecord | undefined = places[at];
      places[at] = homeless;
      homeless = pushed;
      if (homeless === undefined) break;
      const { hi, lo } = hashKey(homeless.id);
      at = (hi & (size - 1)) === at ? lo & (size - 1) : hi & (size - 1);
    }
  }
  return places;
}
