/* Decisions and corrections, encoded as one call of the script, and its reply, decoded as decisions. */
import type { PolicyState, QuotaDecision } from '../limiter/consume.js';
import type { StoredCharge } from '../limiter/store/quota-store.js';
import { createSet, type PolicySet, policySetOf, subsetOf } from './policy-code.js';
import { keyOf } from './quota-keys.js';
import { NEVER } from './script/quota-script.js';
import { CONSUME, RETURN } from './script/rule-run.js';

/** One decision or correction. */
export interface QuotaCall {
  readonly charges: readonly StoredCharge[];
  /** The key of each charge. */
  readonly keys: readonly string[];
  readonly sets: readonly PolicySet[];
  /** `CONSUME` or another operation of the script. */
  readonly operation: number;
  /** Units to settle. */
  readonly units: number;
  /** How long ago what is settled was charged. */
  readonly ageMs: number;
}

export function createQuotaCall(
  prefix: string,
  charges: readonly StoredCharge[],
  operation: number = CONSUME,
  units = 0,
  ageMs = 0,
): QuotaCall {
  const keys = charges.map(charge => keyOf(prefix, charge));
  const sets = charges.length === 1 ? [policySetOf(charges[0]!.policies)] : setsOf(charges, keys);
  return { charges, keys, sets, operation, units, ageMs };
}

function setsOf(charges: readonly StoredCharge[], keys: readonly string[]): PolicySet[] {
  const sets: PolicySet[] = [];
  for (const [index, { policies }] of charges.entries()) {
    const taken = sets.filter((_set, other) => keys[other] === keys[index]).flatMap(({ ids }) => ids);
    const own = policySetOf(policies);
    sets.push(own.ids.some(id => taken.includes(id)) ? createSet(policies, taken) : own);
  }
  return sets;
}

/** The part of a call that lies in one slot. */
export function partOf(quotaCall: QuotaCall, indexes: readonly number[]): QuotaCall {
  const pick = <T>(list: readonly T[]): T[] => indexes.map(index => list[index]!);
  return {
    ...quotaCall,
    charges: pick(quotaCall.charges),
    keys: pick(quotaCall.keys),
    sets: pick(quotaCall.sets),
  };
}

/** Gives back what a granted decision took. A violated policy in shadow mode took nothing. */
export function returnOf(
  quotaCall: QuotaCall,
  policyStates: readonly PolicyState[],
  ageMs: number,
): QuotaCall {
  let first = 0;
  const sets = quotaCall.sets.map(set => {
    const begin = first;
    first += set.policies.length;
    return subsetOf(set, index => !policyStates[begin + index]!.violated);
  });
  const charges = quotaCall.charges.map((charge, index) => ({ ...charge, policies: sets[index]!.policies }));
  return { ...quotaCall, charges, sets, operation: RETURN, ageMs };
}

/** The keys and the first argument of the script. */
export function createScriptCall(quotaCalls: readonly QuotaCall[]): { keys: string[]; input: string } {
  const keys: string[] = [];
  const policyNumbers = new Map<string, number>();
  let runs = '';
  for (let from = 0; from < quotaCalls.length;) {
    const first = quotaCalls[from]!;
    let to = from;
    for (; to < quotaCalls.length && isAlike(first, quotaCalls[to]!); to++)
      keys.push(...quotaCalls[to]!.keys);
    const { charges, sets, operation, units, ageMs } = first;
    runs += `${runs === '' ? '' : ','}${operation},${to - from},${charges.length},${ageMs},${units}`;
    for (const [index, { cost }] of charges.entries()) {
      const { codes } = sets[index]!;
      runs += `,${cost},${codes.length}`;
      for (const code of codes) runs += `,${numberOf(policyNumbers, code)}`;
    }
    from = to;
  }
  return { keys, input: `[[${[...policyNumbers.keys()].join(',')}],[${runs}]]` };
}

/** Whether two calls differ by their keys only. */
function isAlike(first: QuotaCall, other: QuotaCall): boolean {
  if (first === other) return true;
  if (first.operation !== other.operation || first.units !== other.units || first.ageMs !== other.ageMs)
    return false;
  const count = first.sets.length;
  if (other.sets.length !== count) return false;
  for (let index = 0; index < count; index++) {
    if (first.sets[index] !== other.sets[index]) return false;
    if (first.charges[index]!.cost !== other.charges[index]!.cost) return false;
  }
  return true;
}

/** Numbers start at 1, as Lua's indexes do. */
function numberOf(numbers: Map<string, number>, text: string): number {
  let number = numbers.get(text);
  if (number === undefined) numbers.set(text, (number = numbers.size + 1));
  return number;
}

/** @throws Error for a reply that the script cannot have given */
export function readReply(quotaCalls: readonly QuotaCall[], reply: unknown): QuotaDecision[] {
  if (!Array.isArray(reply)) throw new Error('The rate-limit script returned no list');
  let at = 0;
  const decisions: QuotaDecision[] = [];
  for (const { charges } of quotaCalls) {
    const policyStates: PolicyState[] = [];
    let granted = true;
    for (const { policies } of charges) {
      for (const policy of policies) {
        // Clients can be configured to return numbers as text.
        const remaining = Number(reply[at]);
        const reset = Number(reply[at + 1]);
        at += 2;
        // `NaN` would count as granted.
        if (Number.isNaN(remaining) || Number.isNaN(reset))
          throw new Error('The rate-limit script returned something other than numbers');
        const violated = reset < 0;
        if (violated && !policy.shadow) granted = false;
        const resetMs = reset === NEVER ? Infinity : violated ? -1 - reset : reset;
        policyStates.push({ policy, remaining, resetMs, violated });
      }
    }
    decisions.push({ granted, policyStates });
  }
  if (at !== reply.length) throw new Error('The rate-limit script returned another number of results');
  return decisions;
}
