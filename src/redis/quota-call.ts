/* Decisions as one call of the script, and its reply as their verdicts. */
import { joinKey } from '../common/join-key.js';
import type { Standing, Verdict } from '../limiter/judge.js';
import type { StoredCharge } from '../limiter/store/quota-store.js';
import { createSet, type PolicySet, policySetOf, subsetOf } from './policy-code.js';
import { JUDGE, NEVER, RETURN } from './quota-script.js';

/** What is judged, or done, together. */
export interface Decision {
  readonly charges: readonly StoredCharge[];
  /** Of each charge. */
  readonly keys: readonly string[];
  readonly sets: readonly PolicySet[];
  /** JUDGE and its like. */
  readonly deed: number;
  /** Units to settle. */
  readonly units: number;
  /** How long ago what is settled was charged. */
  readonly ageMs: number;
  /** Whether other charges of the same request are decided elsewhere. */
  readonly isPart: boolean;
}

export function createDecision(
  charges: readonly StoredCharge[],
  keys: readonly string[],
  deed: number = JUDGE,
  units = 0,
  ageMs = 0,
): Decision {
  const sets = charges.length === 1 ? [policySetOf(charges[0]!.policies)] : setsOf(charges, keys);
  return { charges, keys, sets, deed, units, ageMs, isPart: false };
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

/** Some of its charges. */
export function partOf(decision: Decision, indexes: readonly number[]): Decision {
  const pick = <T>(list: readonly T[]): T[] => indexes.map(index => list[index]!);
  return {
    ...decision,
    charges: pick(decision.charges),
    keys: pick(decision.keys),
    sets: pick(decision.sets),
    isPart: true,
  };
}

/** Gives a granted decision back. A policy in shadow mode that could not give has taken nothing. */
export function returnOf(decision: Decision, standings: readonly Standing[], ageMs: number): Decision {
  let first = 0;
  const sets = decision.sets.map(set => {
    const begin = first;
    first += set.policies.length;
    return subsetOf(set, index => !standings[begin + index]!.violated);
  });
  const charges = decision.charges.map((charge, index) => ({ ...charge, policies: sets[index]!.policies }));
  return { ...decision, charges, sets, deed: RETURN, ageMs };
}

/** What is asked, as text; `undefined` where the answer depends on a cost. */
export function nameQuestion({ charges, keys, sets }: Decision): string | undefined {
  const parts: (string | number)[] = [];
  for (let index = 0; index < charges.length; index++) {
    if (charges[index]!.cost !== 1) return undefined;
    parts.push(keys[index]!, sets[index]!.number);
  }
  return joinKey(...parts);
}

export interface ScriptCall {
  readonly keys: string[];
  /** The script's first argument. */
  readonly input: string;
}

export function createCall(decisions: readonly Decision[]): ScriptCall {
  const keys: string[] = [];
  const policyNumbers = new Map<string, number>();
  let runs = '';
  for (let from = 0; from < decisions.length;) {
    const first = decisions[from]!;
    let to = from;
    for (; to < decisions.length && isAlike(first, decisions[to]!); to++) keys.push(...decisions[to]!.keys);
    const { charges, sets, deed, units, ageMs } = first;
    runs += `${runs === '' ? '' : ','}${deed},${to - from},${charges.length},${ageMs},${units}`;
    for (const [index, { cost }] of charges.entries()) {
      const { codes } = sets[index]!;
      runs += `,${cost},${codes.length}`;
      for (const code of codes) runs += `,${numberOf(policyNumbers, code)}`;
    }
    from = to;
  }
  return { keys, input: `[[${[...policyNumbers.keys()].join(',')}],[${runs}]]` };
}

/** Whether two differ by their keys only. */
function isAlike(first: Decision, other: Decision): boolean {
  if (first === other) return true;
  if (first.deed !== other.deed || first.units !== other.units || first.ageMs !== other.ageMs) return false;
  const count = first.sets.length;
  if (other.sets.length !== count) return false;
  for (let index = 0; index < count; index++) {
    if (first.sets[index] !== other.sets[index]) return false;
    if (first.charges[index]!.cost !== other.charges[index]!.cost) return false;
  }
  return true;
}

/** As Lua counts: from 1. */
function numberOf(numbers: Map<string, number>, text: string): number {
  let number = numbers.get(text);
  if (number === undefined) numbers.set(text, (number = numbers.size + 1));
  return number;
}

/** The verdicts of a call's decisions. @throws Error for a reply that is not the script's */
export function readReply(decisions: readonly Decision[], reply: unknown): Verdict[] {
  if (!Array.isArray(reply)) throw new Error('The rate-limit script gave no list');
  let at = 0;
  const verdicts: Verdict[] = [];
  for (const { charges } of decisions) {
    const standings: Standing[] = [];
    let granted = true;
    for (const { policies } of charges) {
      for (const policy of policies) {
        // A client may be set to give numbers as text.
        const remaining = Number(reply[at]);
        const reset = Number(reply[at + 1]);
        at += 2;
        // `NaN` would pass for granted.
        if (Number.isNaN(remaining) || Number.isNaN(reset))
          throw new Error('The rate-limit script gave something else than numbers');
        const violated = reset < 0;
        if (violated && !policy.shadow) granted = false;
        const resetMs = reset === NEVER ? Infinity : violated ? -1 - reset : reset;
        standings.push({ policy, remaining, resetMs, violated });
      }
    }
    verdicts.push({ granted, standings });
  }
  if (at !== reply.length) throw new Error('The rate-limit script gave another number of answers');
  return verdicts;
}
