/* Counts by name, for names that clients can invent: beyond a number of them, the rest is one count. */

/** Names with their counts. Pairs and not an object: a name may be `__proto__`. */
export type Counts = readonly (readonly [name: string, count: number])[];

export const OTHER = '(other)';

export class BoundedCounts {
  readonly #counts = new Map<string, number>();

  constructor(private readonly max: number) {}

  add(name: string, count = 1): void {
    const known = this.#counts.get(name);
    if (known !== undefined) this.#counts.set(name, known + count);
    else if (this.#counts.size < this.max) this.#counts.set(name, count);
    else this.#counts.set(OTHER, (this.#counts.get(OTHER) ?? 0) + count);
  }

  list(): Counts {
    return [...this.#counts];
  }
}

/** The sum of several lists. */
export function sumCounts(lists: readonly Counts[], max: number): Counts {
  const sum = new BoundedCounts(max);
  for (const [name, count] of lists.flat()) sum.add(name, count);
  return sum.list();
}
