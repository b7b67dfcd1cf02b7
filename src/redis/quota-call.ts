/* Decisions as one call of the script, and its reply as their verdicts. */
import type { Standing, Verdict } from '../rate-limit/judge.js';
import type { StoredCharge } from '../rate-limit/quota-store.js';
import { encodeCharges, type PolicyCode } from './policy-code.js';
import { NEVER } from './quota-script.js';

/** What is judged together: charges and the keys of each. */
export interface Decision {
  readonly charges: readonly StoredCharge[];
  readonly keys: readonly string[];
  /** How the script knows the policies of each. */
  readonly codes: readonly (readonly PolicyCode[])[];
  /** Gives the charges back instead: another part of the same request was refused. */
  readonly refunds: boolean;
}

export function createDecision(charges: readonly StoredCharge[], keys: readonly string[]): Decision {
  return { charges, keys, codes: encodeCharges(charges, keys), refunds: false };
}

/** Some of its charges. */
export function partOf(
  { charges, keys, codes }: Decision,
  indexes: readonly number[],
  refunds: boolean,
): Decision {
  const pick = <T>(list: readonly T[]): T[] => indexes.map(index => list[index]!);
  return { charges: pick(charges), keys: pick(keys), codes: pick(codes), refunds };
}

/** What is asked, as text; `undefined` where the answer depends on a cost. */
export function nameQuestion({ charges, keys, codes }: Decision): string | undefined {
  let name = '';
  for (const [index, { cost }] of charges.entries()) {
    if (cost !== 1) return undefined;
    name += `${keys[index]!} `;
    for (const { json } of codes[index]!) name += json;
  }
  return name;
}

export interface ScriptCall {
  readonly keys: string[];
  /** The script's first argument. */
  readonly input: string;
}

export function createCall(decisions: readonly Decision[]): ScriptCall {
  const keyNumbers = new Map<string, number>();
  const policyNumbers = new Map<string, number>();
  let steps = '';
  for (const { charges, keys, codes, refunds } of decisions) {
    steps += `${steps === '' ? '' : ','}${refunds ? -charges.length : charges.length}`;
    for (const [index, { policies, cost }] of charges.entries()) {
      steps += `,${numberOf(keyNumbers, keys[index]!)},${cost},${policies.length}`;
      for (const { json } of codes[index]!) steps += `,${numberOf(policyNumbers, json)}`;
    }
  }
  return { keys: [...keyNumbers.keys()], input: `[[${[...policyNumbers.keys()].join(',')}],[${steps}]]` };
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
  const verdicts = decisions.map(({ charges }) => {
    const standings: Standing[] = [];
    let granted = true;
    for (const { policies } of charges) {
      for (const policy of policies) {
        // A client may be set to give numbers as text.
        const remaining = Number(reply[at]);
        const reset = Number(reply[at + 1]);
        at += 2;
        const violated = reset < 0;
        if (violated) granted = false;
        const resetMs = reset === NEVER ? Infinity : violated ? -1 - reset : reset;
        standings.push({ policy, remaining, resetMs, violated });
      }
    }
    return { granted, standings };
  });
  if (at !== reply.length || verdicts.some(isUnreadable))
    throw new Error('The rate-limit script gave another number of answers');
  return verdicts;
}

/** `NaN` would pass for granted. */
const isUnreadable = ({ standings }: Verdict): boolean =>
  standings.some(({ remaining, resetMs }) => Number.isNaN(remaining) || Number.isNaN(resetMs));
