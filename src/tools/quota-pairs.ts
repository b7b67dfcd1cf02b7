/* Joins the rate-limit headers of two quotas: the lists of RateLimit and RateLimit-Policy, and X-RateLimit-* of the one with less left. */
type Pairs = readonly string[];

const LISTS = new Set(['RateLimit', 'RateLimit-Policy']);

export function joinQuotas(one: Pairs | undefined, other: Pairs): Pairs {
  if (one === undefined || one.length === 0) return other;
  if (other.length === 0) return one;
  const tighter = remaining(other) < remaining(one) ? other : one;
  return tighter.map((text, index) => {
    const name = tighter[index - 1];
    if (index % 2 === 0 || !LISTS.has(name!)) return text;
    return [valueOf(one, name!), valueOf(other, name!)].filter(value => value !== undefined).join(', ');
  });
}

function remaining(pairs: Pairs): number {
  return Number(valueOf(pairs, 'X-RateLimit-Remaining') ?? Infinity);
}

function valueOf(pairs: Pairs, name: string): string | undefined {
  const index = pairs.indexOf(name);
  return index === -1 ? undefined : pairs[index + 1];
}
