import type { Verdict } from '../rate-limit/judge.js';
import { RefusalMemory } from '../rate-limit/refusal-memory.js';
import type { QuotaStore, StoredCharge } from '../rate-limit/quota-store.js';
import { Batcher } from './batcher.js';
import { createDecision, type Decision, nameQuestion, partOf } from './quota-call.js';
import { keyOf, slotOf } from './quota-keys.js';
import { createRunner, type RedisClient } from './redis-client.js';

export interface RedisQuotaStoreOptions {
  /** A client of ioredis (`Redis`, `Cluster`) or of node-redis (`createClient`, `createCluster`). It stays yours: you connect and close it. */
  client: RedisClient;
  /** In front of every key. Apps that share a Redis and not their limits need one each. @default 'asec:' */
  prefix?: string;
  /** Milliseconds after which a decision is given up. The guard gives up after 100 on its own. @default 90 */
  deadlineMs?: number;
  /**
   * Decisions in one call; beyond it there are several. Large calls save work, small ones let Redis and Node work at the same time.
   * @default 40
   */
  maxBatch?: number;
  /** Refused clients that are remembered until their reset; 0 asks Redis each time. @default 10000 */
  maxRefusals?: number;
  /** For tests: milliseconds in place of the server's clock. In production every process must count by the same clock, Redis's own. */
  now?: () => number;
}

/**
 * Counts in Redis or Valkey, which several processes share. All charges of a request are one call of one script, by the server's clock;
 * requests of the same moment share the call.
 *
 * In a Cluster, counts of one owner lie in one slot and are judged as one. A request that several owners pay for (a tenant and an agent)
 * is judged in each slot at once; if one refuses, the others give back what they took.
 */
export class RedisQuotaStore implements QuotaStore {
  readonly remembersRefusals: boolean;
  readonly #prefix: string;
  readonly #isCluster: boolean;
  readonly #batcher: Batcher;
  readonly #refusals: RefusalMemory;
  readonly #nowMs: () => number;

  /** @throws TypeError, RangeError for options that are wrong */
  constructor({
    client,
    prefix = 'asec:',
    deadlineMs = 90,
    maxBatch = 40,
    maxRefusals = 10_000,
    now,
  }: RedisQuotaStoreOptions) {
    if (typeof prefix !== 'string' || /[{}]/.test(prefix)) {
      throw new TypeError(
        'RedisQuotaStore: prefix must be a text without braces, which name the slot of a Cluster',
      );
    }
    checkWhole('deadlineMs', deadlineMs, 1, 60_000);
    checkWhole('maxBatch', maxBatch, 1, 5_000);
    checkWhole('maxRefusals', maxRefusals, 0, 1_000_000);
    const runner = createRunner(client);
    this.#prefix = prefix;
    this.#isCluster = runner.isCluster;
    this.#batcher = new Batcher(runner, { deadlineMs, maxBatch, now });
    this.#refusals = new RefusalMemory(maxRefusals);
    this.remembersRefusals = maxRefusals > 0;
    this.#nowMs = now ?? (() => performance.now());
  }

  /** Rejects when Redis fails or is late; the guard then does what `rateLimit.onStoreError` says. */
  async judge(charges: readonly StoredCharge[]): Promise<Verdict> {
    if (charges.length === 0) return { granted: true, standings: [] };
    const decision = createDecision(
      charges,
      charges.map(charge => keyOf(this.#prefix, charge)),
    );
    const askedMs = this.#nowMs();
    if (this.#refusals.size > 0) {
      const question = nameQuestion(decision);
      const refused = question === undefined ? undefined : this.#refusals.find(question, askedMs);
      if (refused !== undefined) return refused;
    }
    const verdict = await this.#ask(decision);
    if (!verdict.granted) {
      const question = nameQuestion(decision);
      if (question !== undefined) this.#refusals.remember(question, verdict, askedMs);
    }
    return verdict;
  }

  #ask(decision: Decision): Promise<Verdict> {
    if (this.#isCluster && decision.keys.length > 1) {
      const slots = new Map<number, number[]>();
      for (const [index, key] of decision.keys.entries()) {
        const slot = slotOf(key);
        slots.set(slot, [...(slots.get(slot) ?? []), index]);
      }
      if (slots.size > 1) return this.#askSlots(decision, [...slots.values()]);
    }
    return this.#batcher.judge(decision);
  }

  /** A decision over several slots, each of which takes its part or not. */
  async #askSlots(decision: Decision, slots: readonly (readonly number[])[]): Promise<Verdict> {
    const answers = await Promise.allSettled(
      slots.map(slot => this.#batcher.judge(partOf(decision, slot, false))),
    );
    const failed = answers.find(answer => answer.status === 'rejected');
    const granted = answers.every(answer => answer.status === 'fulfilled' && answer.value.granted);
    const standings = await Promise.all(
      answers.map(async (answer, index) => {
        if (answer.status === 'rejected') return [];
        if (granted || !answer.value.granted) return answer.value.standings;
        // What a slot that fails now keeps is lost to the client until it leaves the window.
        const after = await this.#batcher
          .judge(partOf(decision, slots[index]!, true))
          .catch(() => answer.value);
        return after.standings;
      }),
    );
    if (failed !== undefined) throw failed.reason;
    return { granted, standings: inOrder(decision.charges, slots, standings) };
  }
}

/** Standings in the order of the charges, from those of each slot. */
function inOrder(
  charges: readonly StoredCharge[],
  slots: readonly (readonly number[])[],
  standings: readonly Verdict['standings'][],
): Verdict['standings'] {
  const byCharge: Verdict['standings'][] = charges.map(() => []);
  for (const [slot, indexes] of slots.entries()) {
    let at = 0;
    for (const index of indexes) {
      const count = charges[index]!.policies.length;
      byCharge[index] = standings[slot]!.slice(at, at + count);
      at += count;
    }
  }
  return byCharge.flat();
}

function checkWhole(option: string, value: unknown, min: number, max: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(
    `RedisQuotaStore: ${option} must be a whole number from ${min} to ${max}, received ${String(value)}`,
  );
}
