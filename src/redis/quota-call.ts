/* Decisions and corrections, encoded as one call of the script, and its reply, decoded as decisions. */
import { createHash } from 'node:crypto';
import type { PolicyState, QuotaDecision } from '../limiter/consume.js';
import type { Policy } from '../limiter/policy.js';
import type { StoredCharge } from '../limiter/store/quota-store.js';
import { keyOf } from './quota-keys.js';
import { encodeWindows } from './script/lone-script.js';
import { NEVER } from './script/quota-script.js';
import { CONSUME, RETURN } from './script/rule-run.js';

/** Policies that one request draws on under one key. */
export interface PolicySet {
  readonly policies: readonly Policy[];
  /** Each policy as the script reads it. */
  readonly codes: readonly string[];
  /** The ID of each stored count: the same in every process, and under every limit. */
  readonly ids: readonly string[];
  /** All policies as the script for a single decision reads them, if it decides them. */
  readonly windows?: string | undefined;
}

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
    const own = policyStates.slice(first, (first += set.policies.length));
    const pick = <T>(list: readonly T[]): T[] => list.filter((_each, index) => !own[index]!.violated);
    return { policies: pick(set.policies), codes: pick(set.codes), ids: pick(set.ids) };
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

/** Nothing for a call that lone-script.ts does not decide. */
export function windowsOf({ operation, charges, sets }: QuotaCall): string | undefined {
  if (operation !== CONSUME || charges.length !== 1 || charges[0]!.cost !== 1) return undefined;
  return sets[0]!.windows;
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

/* How policies are encoded: an ID of the properties that a stored count depends on, and the numbers that may change. */

/** Changes with the format of stored states, so that old ones are not misread. */
const FORM = 2;
const ID_LENGTH = 5;
/** The script stores moments exactly up to here. A longer block never ends. */
const MAX_BLOCK_MS = 2 ** 47;

const RULES = { 'sliding-window': 's', 'fixed-window': 'f', 'token-bucket': 't', concurrency: 'c' } as const;

/** By the first policy: a list that is created for each request holds the same policies. */
const setsByFirst = new WeakMap<Policy, PolicySet[]>();
/** Sets with one first policy. With dynamic limits every set may be a new one. */
const MAX_SIBLINGS = 64;

/** Equal policies of one set that have no name are distinguished by their order. */
export function policySetOf(policies: readonly Policy[]): PolicySet {
  const first = policies[0];
  if (first === undefined) return createSet(policies, []);
  let siblings = setsByFirst.get(first);
  if (siblings === undefined) setsByFirst.set(first, (siblings = []));
  for (const sibling of siblings) if (isListOf(sibling.policies, policies)) return sibling;
  if (siblings.length >= MAX_SIBLINGS) siblings.length = 0;
  const set = createSet([...policies], []);
  siblings.push(set);
  return set;
}

function isListOf(known: readonly Policy[], policies: readonly Policy[]): boolean {
  return known.length === policies.length && known.every((policy, index) => policy === policies[index]);
}

/** @param taken IDs that other policies have under the same key */
function createSet(policies: readonly Policy[], taken: readonly string[]): PolicySet {
  const ids: string[] = [];
  const codes: string[] = [];
  for (const policy of policies) {
    let turn = 0;
    let id = idOf(policy, turn);
    while (ids.includes(id) || taken.includes(id)) id = idOf(policy, ++turn);
    ids.push(id);
    codes.push(encode(policy, id));
  }
  return { policies, codes, ids, windows: encodeWindows(policies, ids) };
}

const blocks = ({ blockMs }: Policy): boolean => blockMs !== undefined && blockMs > 0;

const letterOf = (policy: Policy): string => (blocks(policy) ? 'b' : RULES[policy.algorithm]);

/**
 * The limit is not part of the ID, so a count continues under a new limit. A count of another window or unit would mean nothing. Shadow
 * mode is part of it: a policy in shadow mode often equals the one that it is to replace, and must not depend on its place beside that
 * one.
 */
function idOf(policy: Policy, turn: number): string {
  const name = policy.named ? policy.name : '';
  const { windowMs, unit, shadow } = policy;
  const identity = JSON.stringify([FORM, letterOf(policy), windowMs, unit, name, shadow, turn]);
  return createHash('sha256').update(identity).digest('base64url').slice(0, ID_LENGTH);
}

function encode(policy: Policy, id: string): string {
  const { limit, windowMs, burst, blockMs, shadow } = policy;
  const block = blocks(policy) ? Math.min(blockMs!, MAX_BLOCK_MS) : 0;
  return JSON.stringify([id, letterOf(policy), limit, windowMs, burst, block, shadow ? 1 : 0]);
}
