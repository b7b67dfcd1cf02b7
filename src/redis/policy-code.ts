/* How a policy is named to the script: what of it a stored count depends on, and the numbers that may change under it. */
import { createHash } from 'node:crypto';
import type { Policy } from '../rate-limit/policy.js';
import type { StoredCharge } from '../rate-limit/quota-store.js';

export interface PolicyCode {
  /** Under which its count is stored: the same in every process, and under every limit. */
  readonly id: string;
  /** What the script is told. */
  readonly json: string;
}

/** Changes when stored states change their form, so that old ones are not misread. */
const FORM = 1;
const ID_LENGTH = 5;
/** A script keeps moments exactly up to here; a block this long is one for ever. */
const MAX_BLOCK_MS = 2 ** 47;

const RULES = { 'sliding-window': 's', 'fixed-window': 'f', 'token-bucket': 't', concurrency: 'c' } as const;

const codes = new WeakMap<Policy, PolicyCode[]>();

/**
 * The codes of each charge's policies. Two under one key that are alike, and that the user did not name, are told apart by their
 * order.
 */
export function encodeCharges(
  charges: readonly StoredCharge[],
  keys: readonly string[],
): readonly (readonly PolicyCode[])[] {
  const encoded: PolicyCode[][] = [];
  for (const [index, { policies }] of charges.entries()) {
    const own: PolicyCode[] = [];
    encoded.push(own);
    for (const policy of policies) {
      let code = codeOf(policy, 0);
      for (let turn = 1; isTaken(code, encoded, keys, index); turn++) code = codeOf(policy, turn);
      own.push(code);
    }
  }
  return encoded;
}

function isTaken(
  { id }: PolicyCode,
  encoded: readonly (readonly PolicyCode[])[],
  keys: readonly string[],
  index: number,
): boolean {
  for (const [other, taken] of encoded.entries()) {
    if (keys[other] === keys[index] && taken.some(each => each.id === id)) return true;
  }
  return false;
}

function codeOf(policy: Policy, turn: number): PolicyCode {
  let own = codes.get(policy);
  if (own === undefined) codes.set(policy, (own = []));
  return (own[turn] ??= createCode(policy, turn));
}

function createCode(
  { name, named, rule, limit, windowMs, burst, blockMs }: Policy,
  turn: number,
): PolicyCode {
  const blocks = blockMs !== undefined && blockMs > 0;
  const letter = blocks ? 'b' : RULES[rule];
  // Not the limit: a count goes on under another one. A count of another window would mean nothing.
  const identity = JSON.stringify([FORM, letter, windowMs, named ? name : '', turn]);
  const id = createHash('sha256').update(identity).digest('base64url').slice(0, ID_LENGTH);
  const numbers = [limit, windowMs, burst, blocks ? Math.min(blockMs, MAX_BLOCK_MS) : 0];
  return { id, json: JSON.stringify([id, letter, ...numbers]) };
}
