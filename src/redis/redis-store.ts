import type { QuotaDecision } from '../limiter/consume.js';
import { DenialMemory } from '../limiter/denial-memory.js';
import type { QuotaStore, StoredCharge } from '../limiter/store/quota-store.js';
import { slotsOf } from '../limiter/store/slot-releases.js';
import { Batcher } from './batcher.js';
import { createQuotaCall, type QuotaCall, nameCall, partOf, returnOf } from './quota-call.js';
import { keyOf, slotOf } from './quota-keys.js';
import { RENEW, RESET, SETTLE } from './quota-script.js';
import { readObject } from '../common/read-options.js';
import { show } from '../common/show-value.js';
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
  maxDenials?: number;
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
  readonly remembersDenials: boolean;
  readonly #prefix: string;
  readonly #isCluster: boolean;
  readonly #batcher: Batcher;
  readonly #denials: DenialMemory;
  readonly #nowMs: () => number;

  /** @throws TypeError, RangeError, AgentSecurityConfigError for options that are wrong */
  constructor(options: RedisQuotaStoreOptions) {
    readObject('RedisQuotaStore', options, [
      'client',
      'prefix',
      'deadlineMs',
      'maxBatch',
      'maxDenials',
      'now',
    ]);
    const { client, prefix = 'asec:', deadlineMs = 90, maxBatch = 40, maxDenials = 10_000, now } = options;
    if (typeof prefix !== 'string' || /[{}]/.test(prefix)) {
      throw new TypeError(
        'RedisQuotaStore: prefix must be a text without braces, which name the slot of a Cluster',
      );
    }
    checkWhole('deadlineMs', deadlineMs, 1, 60_000);
    checkWhole('maxBatch', maxBatch, 1, 5_000);
    checkWhole('maxDenials', maxDenials, 0, 1_000_000);
    const runner = createRunner(client);
    this.#prefix = prefix;
    this.#isCluster = runner.isCluster;
    this.#denials = new DenialMemory(maxDenials);
    this.remembersDenials = maxDenials > 0;
    this.#nowMs = now ?? (() => performance.now());
    const onDenied = (quotaCall: QuotaCall, decision: QuotaDecision, requestedMs: number): void => {
      if (!quotaCall.isPart) this.#remember(quotaCall, decision, requestedMs);
    };
    // Nobody has heard of it, so nobody will release its slots. Where Redis fails now, they end with their leases.
    const onLate = ({ charges }: QuotaCall, decision: QuotaDecision): void => {
      for (const slots of slotsOf(charges, decision))
        void this.settle([slots], -slots.cost, 0).catch(() => undefined);
    };
    this.#batcher = new Batcher(runner, { deadlineMs, maxBatch, now, onDenied, onLate });
  }

  /** Rejects when Redis fails or is late; the guard then does what `rateLimit.onStoreError` says. */
  consume(charges: readonly StoredCharge[]): Promise<QuotaDecision> {
    if (charges.length === 0) return Promise.resolve(NOTHING_ASKED);
    const quotaCall = createQuotaCall(charges, this.#keysOf(charges));
    if (this.#denials.size > 0) {
      const question = nameCall(quotaCall);
      const denial = question === undefined ? undefined : this.#denials.find(question, this.#nowMs());
      if (denial !== undefined) return Promise.resolve(denial);
    }
    const slots = this.#slotsOf(quotaCall);
    return slots === undefined ? this.#batcher.consume(quotaCall) : this.#consumeParts(quotaCall, slots);
  }

  /** Rejects when Redis fails or is late: what was to be given back leaves with its window. */
  settle(charges: readonly StoredCharge[], units: number, ageMs: number): Promise<QuotaDecision> {
    return this.#do(SETTLE, charges, units, ageMs);
  }

  /** Rejects when Redis fails or is late: the leases then end when they would have. */
  renew(charges: readonly StoredCharge[], ageMs: number): Promise<QuotaDecision> {
    return this.#do(RENEW, charges, 0, ageMs);
  }

  async reset(charges: readonly StoredCharge[]): Promise<void> {
    await this.#do(RESET, charges, 0, 0);
  }

  /** What refuses nobody: each slot of a Cluster does its part. */
  async #do(
    deed: number,
    charges: readonly StoredCharge[],
    units: number,
    ageMs: number,
  ): Promise<QuotaDecision> {
    if (charges.length === 0) return NOTHING_ASKED;
    if (!Number.isSafeInteger(units)) throw new RangeError(`Units must be whole, received ${units}`);
    if (!(ageMs >= 0 && ageMs < Infinity)) {
      throw new RangeError(`ageMs must be a number from 0, received ${ageMs}`);
    }
    const quotaCall = createQuotaCall(charges, this.#keysOf(charges), deed, units, ageMs);
    const slots = this.#slotsOf(quotaCall);
    try {
      if (slots === undefined) return await this.#batcher.consume(quotaCall);
      const decisions = await Promise.all(slots.map(slot => this.#batcher.consume(partOf(quotaCall, slot))));
      const policyStates = decisions.map(decision => decision.policyStates);
      return { granted: true, policyStates: inOrder(charges, slots, policyStates) };
    } finally {
      for (const key of quotaCall.keys) this.#denials.forget(key);
    }
  }

  #keysOf(charges: readonly StoredCharge[]): string[] {
    return charges.map(charge => keyOf(this.#prefix, charge));
  }

  #remember(quotaCall: QuotaCall, decision: QuotaDecision, requestedMs: number): void {
    const question = nameCall(quotaCall);
    if (question !== undefined) this.#denials.remember(question, quotaCall.keys, decision, requestedMs);
  }

  /** Which charges go to which slot, if there are several. */
  #slotsOf({ keys }: QuotaCall): readonly (readonly number[])[] | undefined {
    if (!this.#isCluster || keys.length === 1) return undefined;
    const slots = new Map<number, number[]>();
    for (const [index, key] of keys.entries()) {
      const slot = slotOf(key);
      slots.set(slot, [...(slots.get(slot) ?? []), index]);
    }
    return slots.size > 1 ? [...slots.values()] : undefined;
  }

  /** A decision over several slots, each of which takes its part or not. */
  async #consumeParts(quotaCall: QuotaCall, slots: readonly (readonly number[])[]): Promise<QuotaDecision> {
    const requestedMs = this.#nowMs();
    const parts = slots.map(slot => partOf(quotaCall, slot));
    const answers = await Promise.allSettled(parts.map(part => this.#batcher.consume(part)));
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
    const decision = { granted, policyStates: inOrder(quotaCall.charges, slots, policyStates) };
    if (!granted) this.#remember(quotaCall, decision, requestedMs);
    return decision;
  }

  /** Gives back what a slot took where another refused. What a slot that fails now keeps is lost to the client until it leaves the window. */
  async #giveBack(
    part: QuotaCall,
    taken: QuotaDecision,
    requestedMs: number,
  ): Promise<QuotaDecision['policyStates']> {
    const ageMs = Math.max(0, this.#nowMs() - requestedMs);
    const returning = returnOf(part, taken.policyStates, ageMs);
    const after = await this.#batcher.consume(returning).catch(() => undefined);
    let at = 0;
    return taken.policyStates.map(policyState =>
      policyState.violated ? policyState : (after?.policyStates[at++] ?? policyState),
    );
  }
}

const NOTHING_ASKED: QuotaDecision = { granted: true, policyStates: [] };

/** Standings in the order of the charges, from those of each slot. */
function inOrder(
  charges: readonly StoredCharge[],
  slots: readonly (readonly number[])[],
  policyStates: readonly QuotaDecision['policyStates'][],
): QuotaDecision['policyStates'] {
  const byCharge: QuotaDecision['policyStates'][] = charges.map(() => []);
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

function checkWhole(option: string, value: unknown, min: number, max: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(
    `RedisQuotaStore: ${option} must be a whole number from ${min} to ${max}, received ${show(value)}`,
  );
}
