/* Quotas in Redis: the decisions and corrections behind RedisQuotaStore. */
import type { PolicyState, QuotaDecision } from '../limiter/consume.js';
import type { QuotaStore, StoredCharge } from '../limiter/store/quota-store.js';
import { Batcher } from './batcher.js';
import { createQuotaCall, partOf, type QuotaCall, returnOf } from './quota-call.js';
import { groupBySlot, memoryKeyOf } from './quota-keys.js';
import { RecentDenials } from './recent-denials.js';
import type { ScriptRunner } from './read-client.js';
import { shareText } from './share-text.js';
import { RENEW, RESET, SETTLE } from './script/rule-run.js';

export interface RedisQuotasSettings {
  readonly runner: ScriptRunner;
  readonly prefix: string;
  /** Decisions in one call, 40 by default. Larger calls save work; smaller ones let Redis and Node work at the same time. */
  readonly maxBatch?: number;
  /** Denied clients that are kept until their reset, 10,000 by default; 0 sends every decision to Redis. */
  readonly maxDenials?: number;
  /** A test's clock, in milliseconds. In production every process must count by the same clock, Redis's own. */
  readonly now?: () => number;
}

export class RedisQuotas implements QuotaStore {
  readonly #runner: ScriptRunner;
  readonly #prefix: string;
  readonly #isCluster: boolean;
  readonly #batcher: Batcher;
  readonly #denials: RecentDenials;

  constructor({ runner, prefix, maxBatch = 40, maxDenials = 10_000, now }: RedisQuotasSettings) {
    this.#runner = runner;
    this.#prefix = prefix;
    this.#isCluster = runner.isCluster;
    this.#denials = new RecentDenials(maxDenials);
    this.#batcher = new Batcher(runner, this.#denials, maxBatch, now);
  }

  /** Rejects if Redis fails. */
  consume(charges: readonly StoredCharge[]): Promise<QuotaDecision> {
    if (charges.length === 0) return Promise.resolve(NO_CHARGES);
    const call = createQuotaCall(this.#prefix, charges);
    const denial = this.#denials.find(call, this.#batcher.nowMs());
    if (denial !== undefined) return Promise.resolve(denial);
    const slots = this.#slotsOf(call);
    return slots === undefined ? this.#batcher.send(call) : this.#consumeParts(call, slots);
  }

  /** Rejects if Redis fails: units that were to be given back then leave with their window. */
  settle(charges: readonly StoredCharge[], units: number, ageMs: number): Promise<QuotaDecision> {
    return this.#correct(SETTLE, charges, units, ageMs);
  }

  /** Rejects if Redis fails: the leases then end at their time. */
  renew(charges: readonly StoredCharge[], ageMs: number): Promise<QuotaDecision> {
    return this.#correct(RENEW, charges, 0, ageMs);
  }

  /** Rejects if Redis fails. */
  async remember(key: string, ttlMs: number): Promise<boolean> {
    const reply = Number(
      await this.#runner.eval(
        REMEMBER,
        [memoryKeyOf(this.#prefix, key)],
        [String(Math.max(1, Math.ceil(ttlMs)))],
      ),
    );
    if (reply === 0 || reply === 1) return reply === 1;
    throw new Error('Redis answered neither that it remembers the key nor that it knows it');
  }

  /** Rejects if Redis fails. */
  async share(topic: string, name: string, text: string): Promise<readonly string[]> {
    return shareText(this.#runner, memoryKeyOf(this.#prefix, topic), name, text);
  }

  async reset(charges: readonly StoredCharge[]): Promise<void> {
    await this.#correct(RESET, charges, 0, 0);
  }

  /** An operation that denies nothing: each slot of a Cluster does its part. */
  async #correct(
    operation: number,
    charges: readonly StoredCharge[],
    units: number,
    ageMs: number,
  ): Promise<QuotaDecision> {
    if (charges.length === 0) return NO_CHARGES;
    if (!Number.isSafeInteger(units)) throw new RangeError(`Units must be whole, received ${units}`);
    if (!(ageMs >= 0 && ageMs < Infinity))
      throw new RangeError(`ageMs must be a number from 0, received ${ageMs}`);
    const call = createQuotaCall(this.#prefix, charges, operation, units, ageMs);
    const slots = this.#slotsOf(call);
    try {
      if (slots === undefined) return await this.#batcher.send(call);
      const decisions = await Promise.all(slots.map(slot => this.#batcher.send(partOf(call, slot))));
      const policyStates = decisions.map(decision => decision.policyStates);
      return { granted: true, policyStates: inOrder(charges, slots, policyStates) };
    } finally {
      this.#denials.delete(call.keys);
    }
  }

  /** The charges of each slot, as indexes; `undefined` if one call can carry all of them. */
  #slotsOf({ keys }: QuotaCall): readonly (readonly number[])[] | undefined {
    if (!this.#isCluster || keys.length === 1) return undefined;
    const slots = groupBySlot([...keys.keys()], index => keys[index]!);
    return slots.length > 1 ? slots : undefined;
  }

  /** A decision over several slots. Each decides on its part; if one denies or fails, the others give back what they took. */
  async #consumeParts(call: QuotaCall, slots: readonly (readonly number[])[]): Promise<QuotaDecision> {
    const requestedMs = this.#batcher.nowMs();
    const parts = slots.map(slot => partOf(call, slot));
    const answers = await Promise.allSettled(parts.map(part => this.#batcher.send(part)));
    const failed = answers.find(answer => answer.status === 'rejected');
    const granted = answers.every(answer => answer.status === 'fulfilled' && answer.value.granted);
    const policyStates = await Promise.all(
      answers.map((answer, index) => {
        if (answer.status === 'rejected') return [];
        if (granted || !answer.value.granted) return answer.value.policyStates;
        return this.#giveBack(parts[index]!, answer.value, requestedMs);
      }),
    );
    if (failed !== undefined) throw failed.reason;
    return { granted, policyStates: inOrder(call.charges, slots, policyStates) };
  }

  /** If Redis fails now, the units stay charged until they leave the window. */
  async #giveBack(
    part: QuotaCall,
    taken: QuotaDecision,
    requestedMs: number,
  ): Promise<readonly PolicyState[]> {
    const ageMs = Math.max(0, this.#batcher.nowMs() - requestedMs);
    const after = await this.#batcher.send(returnOf(part, taken.policyStates, ageMs)).catch(() => undefined);
    this.#denials.delete(part.keys);
    let at = 0;
    return taken.policyStates.map(policyState =>
      policyState.violated ? policyState : (after?.policyStates[at++] ?? policyState),
    );
  }
}

const REMEMBER = `return redis.call('SET', KEYS[1], '', 'NX', 'PX', ARGV[1]) and 1 or 0`;

const NO_CHARGES: QuotaDecision = { granted: true, policyStates: [] };

/** The policy states in the order of the charges, from those of each slot. */
function inOrder(
  charges: readonly StoredCharge[],
  slots: readonly (readonly number[])[],
  policyStates: readonly (readonly PolicyState[])[],
): readonly PolicyState[] {
  const byCharge: (readonly PolicyState[])[] = charges.map(() => []);
  for (const [slot, indexes] of slots.entries()) {
    let at = 0;
    for (const index of indexes) {
      const count = charges[index]!.policies.length;
      byCharge[index] = policyStates[slot]!.slice(at, at + count);
      at += count;
    }
  }
  return byCharge.flat();
}
