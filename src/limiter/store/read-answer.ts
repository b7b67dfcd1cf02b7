/* Checks what a shared store answers: the store may be the app's own, and faulty. */
import { isRecord } from '../../common/read-options.js';
import { type QuotaDecision, denies, type PolicyState } from '../consume.js';
import type { StoredCharge } from './quota-store.js';

/**
 * Checks the shape of a store's answer: the states of requested policies, in order and at most one each. A grant has the state of every
 * policy that it charged, a denial that of a policy that denies. What the numbers say is left to the store.
 * @throws TypeError for anything else: it could count as granted, or put `NaN` into headers
 */
export function readDecision(answer: unknown, charges: readonly StoredCharge[]): QuotaDecision {
  if (isRecord(answer) && Array.isArray(answer['policyStates'])) {
    const { granted, policyStates } = answer as { granted: unknown; policyStates: readonly unknown[] };
    const policies = charges.flatMap(charge => charge.policies);
    let next = 0;
    const areRequested = policyStates.every(
      state => isPolicyState(state) && (next = policies.indexOf(state.policy, next) + 1) > 0,
    );
    if (areRequested && typeof granted === 'boolean') {
      const decision = answer as unknown as QuotaDecision;
      const isComplete = granted
        ? policyStates.length >= countCharged(charges)
        : decision.policyStates.some(denies);
      if (isComplete) return decision;
    }
  }
  throw new TypeError('its answer is not a decision about the request');
}

export function readTexts(answer: unknown): readonly string[] {
  if (Array.isArray(answer) && answer.every(each => typeof each === 'string')) return answer;
  throw new TypeError('its answer is no list of texts');
}

export function readBoolean(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer;
  throw new TypeError('its answer is neither true nor false');
}

function isPolicyState(value: unknown): value is PolicyState {
  if (!isRecord(value)) return false;
  const { remaining, resetMs, violated } = value;
  const isTime = typeof resetMs === 'number' && resetMs >= 0 && resetMs <= Number.MAX_SAFE_INTEGER;
  return (
    Number.isSafeInteger(remaining) &&
    (remaining as number) >= 0 &&
    typeof violated === 'boolean' &&
    (isTime || (violated && resetMs === Infinity))
  );
}

const countCharged = (charges: readonly StoredCharge[]): number =>
  charges.reduce((count, { policies, cost }) => (cost > 0 ? count + policies.length : count), 0);
