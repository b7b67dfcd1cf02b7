/* What a request asks of all its quotas, in the two forms in which it may be judged. */
import { show } from '../common/show-value.js';
import type { Charge, Verdict } from '../limiter/judge.js';
import type { Policy } from '../limiter/policy.js';
import type { StoredCharge } from '../limiter/store/quota-store.js';

export interface Ask {
  /** Whose quota it is, as events name it. */
  readonly owner: string;
  /** Of the process's own counts. */
  readonly charges: readonly Charge[];
  /** Of a shared store: the same policies in the same order. */
  readonly stored: readonly StoredCharge[];
}

/** Who was asked about, for events. */
export interface Asker {
  readonly requestId?: string | undefined;
  readonly address?: string | undefined;
  readonly agent?: string | undefined;
}

/** The policies of a charge, in the order of its standings. */
export function policiesOf({ table, mask }: Charge): readonly Policy[] {
  return table.policies.filter((_policy, index) => (mask & (1 << index)) !== 0);
}

/** The same of some policies only; `undefined` if it asks nothing of them. */
export function part(ask: Ask, isWanted: (policy: Policy) => boolean): Ask | undefined {
  const charges = ask.charges.flatMap(charge => {
    let mask = 0;
    for (const [index, policy] of charge.table.policies.entries())
      if ((charge.mask & (1 << index)) !== 0 && isWanted(policy)) mask |= 1 << index;
    return mask === 0 ? [] : [{ ...charge, mask }];
  });
  if (charges.length === 0) return undefined;
  const stored = ask.stored.flatMap(charge => {
    const policies = charge.policies.filter(isWanted);
    return policies.length === 0 ? [] : [{ ...charge, policies }];
  });
  return { owner: ask.owner, charges, stored };
}

export function parts(
  asks: readonly (Ask | undefined)[],
  isWanted: (policy: Policy) => boolean,
): readonly Ask[] {
  return asks.flatMap(ask => (ask && part(ask, isWanted)) ?? []);
}

/**
 * What a granted decision has taken of each ask: a policy on trial that could not give has taken nothing, and gets nothing back.
 * `undefined` for an ask of which nothing was taken.
 */
export function takenOf(asks: readonly Ask[], { standings }: Verdict): readonly (Ask | undefined)[] {
  if (!standings.some(({ violated }) => violated)) return asks;
  let at = 0;
  return asks.map(ask => {
    const took = new Set<Policy>();
    for (const policy of ask.charges.flatMap(charge => policiesOf(charge))) {
      const standing = standings[at];
      // A store may leave out how a policy stands that was charged nothing.
      if (standing?.policy === policy) at++;
      if (standing?.policy !== policy || !standing.violated) took.add(policy);
    }
    return part(ask, policy => took.has(policy));
  });
}

export const isConcurrency = ({ rule }: Policy): boolean => rule === 'concurrency';

/** `NaN` and fractions would slip through every comparison; they are refused instead. */
export function checkCost(cost: unknown): number {
  if (typeof cost === 'number' && Number.isSafeInteger(cost) && cost >= 0) return cost;
  throw new RangeError(`A cost must be a whole number from 0, received ${show(cost)}`);
}

/** Text that names an owner; `undefined` where it names nobody. @throws TypeError for what is neither text nor a number */
export function checkOwner(what: string, owner: unknown): string | undefined {
  if (typeof owner === 'string') return owner === '' ? undefined : owner;
  if (owner === undefined || owner === null) return undefined;
  if (typeof owner === 'bigint' || (typeof owner === 'number' && Number.isFinite(owner)))
    return String(owner);
  throw new TypeError(`${what} must be text, received ${show(owner)}`);
}
