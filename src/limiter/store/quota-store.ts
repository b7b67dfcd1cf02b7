/* Counts that several processes share. */
import type { QuotaDecision } from '../consume.js';
import type { Policy } from '../policy.js';

/** What a request asks of a shared quota. */
export interface StoredCharge {
  /** Names the quota: no other scope or owner has this key. The same in every process. */
  readonly key: string;
  /** Whose limits they are: a route's, the module's, a tool's. Given together with `owner`. */
  readonly scope?: string;
  /** Who is counted. A store may keep an owner's counts together by it. */
  readonly partitionKey?: string;
  /** Whether the owner is an address (or everybody), which may stand in a store as it is: whatever else names somebody may be a secret. */
  readonly isAddress?: boolean;
  readonly policies: readonly Policy[];
  /** Units, a whole number from 0. */
  readonly cost: number;
}

/** A store that decides over all policies of a request together. */
export interface QuotaStore {
  /**
   * Whether a refusal stands until the reset that it names, whatever happens to the counts meanwhile, as in a store that answers a refused
   * client from memory. The guard then need not ask it either.
   */
  readonly remembersDenials?: boolean;
  /**
   * Takes every charge or none; policies in shadow mode refuse nobody. A cost of 0 only looks. The standings come in the order of the
   * charges and their policies. It may reject or hang: who calls it has a deadline and limits by other means.
   */
  consume(charges: readonly StoredCharge[]): Promise<QuotaDecision>;
  /**
   * Charges `units` more (above 0, also beyond the limit), or gives back as many (below 0) of what was charged `ageMs` ago, in every
   * policy of every charge; `cost` does not count. Without it, estimates of this store are never corrected.
   */
  settle?(charges: readonly StoredCharge[], units: number, ageMs: number): Promise<QuotaDecision>;
  /** Lets leases of `cost` slots that began `ageMs` ago begin now. Never refuses. */
  renew?(charges: readonly StoredCharge[], ageMs: number): Promise<QuotaDecision>;
  /** Forgets what the policies have counted under the keys. */
  reset?(charges: readonly StoredCharge[]): Promise<void>;
}

/** The shared store that the module opens itself, for `REDIS_URL`; `undefined` where there is none. */
export const OWN_STORE = Symbol('agent-security:own-store');
