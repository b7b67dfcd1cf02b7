/* How policies are encoded for the script: an ID of the properties that a stored count depends on, and the numbers that may change. */
import { createHash } from 'node:crypto';
import type { Policy } from '../limiter/policy.js';

/** Policies that one request draws on under one key. */
export interface PolicySet {
  readonly policies: readonly Policy[];
  /** Each policy as the script reads it. */
  readonly codes: readonly string[];
  /** The ID of each stored count: the same in every process, and under every limit. */
  readonly ids: readonly string[];
}

/** Changes with the format of stored states, so that old ones are not misread. */
const FORM = 2;
const ID_LENGTH = 5;
/** The script stores moments exactly up to here. A longer block never ends. */
const MAX_BLOCK_MS = 2 ** 47;

const RULES = { 'sliding-window': 's', 'fixed-window': 'f', 'token-bucket': 't', concurrency: 'c' } as const;

/** By the list, and by its first policy: a list that is created for each request holds the same policies. */
const byList = new WeakMap<readonly Policy[], PolicySet>();
const byFirst = new WeakMap<Policy, PolicySet[]>();
/** Sets with one first policy. With dynamic limits every set may be a new one. */
const MAX_SIBLINGS = 64;

/** Equal policies of one set that have no name are distinguished by their order. */
export function policySetOf(policies: readonly Policy[]): PolicySet {
  const known = byList.get(policies);
  if (known !== undefined && isListOf(known.policies, policies)) return known;
  const set = findSet(policies);
  byList.set(policies, set);
  return set;
}

function findSet(policies: readonly Policy[]): PolicySet {
  const first = policies[0];
  if (first === undefined) return createSet(policies, []);
  let siblings = byFirst.get(first);
  if (siblings === undefined) byFirst.set(first, (siblings = []));
  let set = siblings.find(each => isListOf(each.policies, policies));
  if (set === undefined) {
    if (siblings.length >= MAX_SIBLINGS) siblings.length = 0;
    siblings.push((set = createSet([...policies], [])));
  }
  return set;
}

function isListOf(known: readonly Policy[], policies: readonly Policy[]): boolean {
  if (known.length !== policies.length) return false;
  for (let index = 0; index < known.length; index++) if (known[index] !== policies[index]) return false;
  return true;
}

/** @param taken IDs that other policies have under the same key */
export function createSet(policies: readonly Policy[], taken: readonly string[]): PolicySet {
  const ids: string[] = [];
  const codes: string[] = [];
  for (const policy of policies) {
    let turn = 0;
    let id = idOf(policy, turn);
    while (ids.includes(id) || taken.includes(id)) id = idOf(policy, ++turn);
    ids.push(id);
    codes.push(encode(policy, id));
  }
  return { policies, codes, ids };
}

/** Some policies of a set, under the IDs that they have there. */
export function subsetOf(set: PolicySet, isPicked: (index: number) => boolean): PolicySet {
  const pick = <T>(list: readonly T[]): T[] => list.filter((_each, index) => isPicked(index));
  return { policies: pick(set.policies), codes: pick(set.codes), ids: pick(set.ids) };
}

const blocks = ({ blockMs }: Policy): boolean => blockMs !== undefined && blockMs > 0;

const letterOf = (policy: Policy): string => (blocks(policy) ? 'b' : RULES[policy.rule]);

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
