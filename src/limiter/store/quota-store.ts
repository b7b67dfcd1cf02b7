/* The interface of a store of counts that several processes share. */
import type { QuotaDecision } from '../consume.js';
import type { Policy } from '../policy.js';

/**
 * What a request consumes of a shared quota, under one key.
 * @example
 * const units = (charges: readonly StoredCharge[]) => charges.map(({ key, cost }) => `${key}: ${cost}`);
 */
export interface StoredCharge {
  /** Identifies the quota: no other scope or partition has this key. The same in every process. */
  readonly key: string;
  /** Where the limits are defined: a route, the module, a tool. Given together with `partitionKey`. */
  readonly scope?: string;
  /** The partition key: the client, agent or tenant of the counter. A store may use it to keep the counts of one client together. */
  readonly partitionKey?: string;
  /** Whether the partition key is an address or `global`, which a store may keep as plain text. Any other partition key may be a secret. */
  readonly isAddress?: boolean;
  readonly policies: readonly Policy[];
  /** Units, a whole number from 0. */
  readonly cost: number;
}

/**
 * A store of counts that several processes share. It decides on all policies of a request together. Implement it for a database other than
 * Redis; `RedisQuotaStore` is the one for Redis.
 * @example
 * const store: QuotaStore = { deadlineMs: 50, consume: charges => database.consume(charges) };
 * AgentSecurityModule.forRoot({ rateLimit: { store } });
 */
export interface QuotaStore {
  /** Milliseconds that a request waits for this store, 100 at most. @default 100 */
  readonly deadlineMs?: number;
  /**
   * Consumes every charge or none; a policy in shadow mode denies no request. A cost of 0 consumes nothing. The policy states come in
   * the order of the charges and their policies; the store may leave out policies that were charged nothing, and those after one that
   * denies. The store may reject or hang: then `rateLimit.onStoreError` applies. Leases that it grants after the deadline are given back
   * through `settle`.
   */
  consume(charges: readonly StoredCharge[]): Promise<QuotaDecision>;
  /**
   * Corrects what was charged `ageMs` ago, in every policy of every charge: charges `units` more (above 0, also beyond the limit), or gives
   * them back (below 0). `cost` is ignored. Without this method, estimates are never corrected.
   */
  settle?(charges: readonly StoredCharge[], units: number, ageMs: number): Promise<QuotaDecision>;
  /** Lets `cost` leases that began `ageMs` ago begin now. Denies nothing. */
  renew?(charges: readonly StoredCharge[], ageMs: number): Promise<QuotaDecision>;
  /**
   * Remembers a key for `ttlMs` milliseconds, unless it is remembered already: one atomic step over all processes (Redis: `SET key '' NX PX
   * ttlMs`). It detects used proofs (DPoP, proxies) and alerts that another process has emitted. Without this method each process
   * remembers its own. Keys may be secrets.
   * @returns whether it was not remembered before
   */
  remember?(key: string, ttlMs: number): Promise<boolean>;
  /** Deletes the counts of the policies under the keys. */
  reset?(charges: readonly StoredCharge[]): Promise<void>;
  /**
   * Keeps a text under a topic and a name for an hour, and returns the texts of all names of the topic. The dashboard shares its figures
   * so; without this method each process shows its own.
   */
  share?(topic: string, name: string, text: string): Promise<readonly string[]>;
}

/** The shared store that the module opens itself for `REDIS_URL`; `undefined` without one. */
export const OWN_STORE = Symbol('agent-security:own-store');
