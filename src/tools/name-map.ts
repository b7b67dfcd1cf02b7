/** A map from names and patterns: the exact name wins, then the first pattern that matches. */
export class NameMap<T> {
  readonly #exact = new Map<string, T>();
  readonly #patterns: [pattern: string, value: T][] = [];

  constructor(entries: Iterable<readonly [name: string, value: T]> = []) {
    for (const [name, value] of entries) {
      if (name.includes('*')) this.#patterns.push([name, value]);
      else this.#exact.set(name, value);
    }
  }

  get(name: string): T | undefined {
    return this.#exact.get(name) ?? this.#patterns.find(([pattern]) => matchesPattern(pattern, name))?.[1];
  }

  /** The values of the exact names, then those of the patterns. */
  values(): readonly T[] {
    return [...this.#exact.values(), ...this.#patterns.map(([, value]) => value)];
  }

  hasExact(name: string): boolean {
    return this.#exact.has(name);
  }
}

/** A set of names and patterns. */
export class NameSet {
  readonly #names: NameMap<true>;

  constructor(names: readonly string[]) {
    this.#names = new NameMap(names.map(name => [name, true] as const));
  }

  has(name: string): boolean {
    return this.#names.get(name) === true;
  }
}

/** Whether a name matches a pattern, in which `*` stands for any characters, or none. Linear: a client chooses the name. */
export function matchesPattern(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  const first = parts[0]!;
  if (parts.length === 1) return name === first;
  const last = parts.at(-1)!;
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
