import type { Verdict } from '../limiter/judge.js';
import { RefusalMemory } from '../limiter/refusal-memory.js';
import type { QuotaStore, StoredCharge } from '../limiter/store/quota-store.js';
import { slotsOf } from '../limiter/store/slot-releases.js';
import { Batcher } from './batcher.js';
import { createDecision, type Decision, nameQuestion, partOf, returnOf } from './quota-call.js';
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

  /** @throws TypeError, RangeError, AgentSecurityConfigError for options that are wrong */
  constructor(options: RedisQuotaStoreOptions) {
    readObject('RedisQuotaStore', options, [
      'client',
      'prefix',
      'deadlineMs',
      'maxBatch',
      'maxRefusals',
      'now',
    ]);
    const { client, prefix = 'asec:', deadlineMs = 90, maxBatch = 40, maxRefusals = 10_000, now } = options;
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
    this.#refusals = new RefusalMemory(maxRefusals);
    this.remembersRefusals = maxRefusals > 0;
    this.#nowMs = now ?? (() => performance.now());
    const onRefused = (decision: Decision, verdict: Verdict, askedMs: number): void => {
      if (!decision.isPart) this.#remember(decision, verdict, askedMs);
    };
    // Nobody has heard of it, so nobody will release its slots. Where Redis fails now, they end with their leases.
    const onLate = ({ charges }: Decision, verdict: Verdict): void => {
      for (const slots of slotsOf(charges, verdict))
        void this.settle([slots], -slots.cost, 0).catch(() => undefined);
    };
    this.#batcher = new Batcher(runner, { deadlineMs, maxBatch, now, onRefused, onLate });
  }

  /** Rejects when Redis fails or is late; the guard then does what `rateLimit.onStoreError` says. */
  judge(charges: readonly StoredCharge[]): Promise<Verdict> {
    if (charges.length === 0) return Promise.resolve(NOTHING_ASKED);
    const decision = createDecision(charges, this.#keysOf(charges));
    if (this.#refusals.size > 0) {
      const question = nameQuestion(decision);
      const refused = question === undefined ? undefined : this.#refusals.find(question, this.#nowMs());
      if (refused !== undefined) return Promise.resolve(refused);
    }
    const slots = this.#slotsOf(decision);
    return slots === undefined ? this.#batcher.judge(decision) : this.#judgeSlots(decision, slots);
  }

  /** Rejects when Redis fails or is late: what was to be given back leaves with its window. */
  settle(charges: readonly StoredCharge[], units: number, ageMs: number): Promise<Verdict> {
    return this.#do(SETTLE, charges, units, ageMs);
  }

  /** Rejects when Redis fails or is late: the leases then end when they would have. */
  renew(charges: readonly StoredCharge[], ageMs: number): Promise<Verdict> {
    return this.#do(RENEW, charges, 0, ageMs);
  }

  async reset(charges: readonly StoredCharge[]): Promise<void> {
    await this.#do(RESET, charges, 0, 0);
  }

  /** What refuses nobody: each slot of a Cluster does its part. */
  async #do(deed: number, charges: readonly StoredCharge[], units: number, ageMs: number): Promise<Verdict> {
    if (charges.length === 0) return NOTHING_ASKED;
    if (!Number.isSafeInteger(units)) throw new RangeError(`Units must be whole, received ${units}`);
    if (!(ageMs >= 0 && ageMs < Infinity)) {
      throw new RangeError(`ageMs must be a number from 0, received ${ageMs}`);
    }
    const decision = createDecision(charges, this.#keysOf(charges), deed, units, ageMs);
    const slots = this.#slotsOf(decision);
    try {
      if (slots === undefined) return await this.#batcher.judge(decision);
      const verdicts = await Promise.all(slots.map(slot => this.#batcher.judge(partOf(decision, slot))));
      const standings = verdicts.map(verdict => verdict.standings);
      return { granted: true, standings: inOrder(charges, slots, standings) };
    } finally {
      for (const key of decision.keys) this.#refusals.forget(key);
    }
  }

  #keysOf(charges: readonly StoredCharge[]): string[] {
    return charges.map(charge => keyOf(this.#prefix, charge));
  }

  #remember(decision: Decision, verdict: Verdict, askedMs: number): void {
    const question = nameQuestion(decision);
    if (question !== undefined) this.#refusals.remember(question, decision.keys, verdict, askedMs);
  }

  /** Which charges go to which slot, if there are several. */
  #slotsOf({ keys }: Decision): readonly (readonly number[])[] | undefined {
    if (!this.#isCluster || keys.length === 1) return undefined;
    const slots = new Map<number, number[]>();
    for (const [index, key] of keys.entries()) {
      const slot = slotOf(key);
      slots.set(slot, [...(slots.get(slot) ?? []), index]);
    }
    return slots.size > 1 ? [...slots.values()] : undefined;
  }

  /** A decision over several slots, each of which takes its part or not. */
  async #judgeSlots(decision: Decision, slots: readonly (readonly number[])[]): Promise<Verdict> {
    const askedMs = this.#nowMs();
    const parts = slots.map(slot => partOf(decision, slot));
    const answers = await Promise.allSettled(parts.map(part => this.#batcher.judge(part)));
    const failed = answers.find(answer => answer.status === 'rejected');
    const granted = answers.every(answer => answer.status === 'fulfilled' && answer.value.granted);
    const standings = await Promise.all(
      answers.map((answer, index) => {
        if (answer.status === 'rejected') return [];
        if (granted || !answer.value.granted) return answer.value.standings;
        return this.#giveBack(parts[index]!, answer.value, askedMs);
      }),
    );
    if (failed !== undefined) throw failed.reason;
    const verdict = { granted, standings: inOrder(decision.charges, slots, standings) };
    if (!granted) this.#remember(decision, verdict, askedMs);
    return verdict;
  }

  /** Gives back what a slot took where another refused. What a slot that fails now keeps is lost to the client until it leaves the window. */
  async #giveBack(part: Decision, taken: Verdict, askedMs: number): Promise<Verdict['standings']> {
    const ageMs = Math.max(0, this.#nowMs() - askedMs);
    const returning = returnOf(part, taken.standings, ageMs);
    const after = await this.#batcher.judge(returning).catch(() => undefined);
    let at = 0;
    return taken.standings.map(standing =>
      standing.violated ? standing : (after?.standings[at++] ?? standing),
    );
  }
}

const NOTHING_ASKED: Verdict = { granted: true, standings: [] };

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
    `RedisQuotaStore: ${option} must be a whole number from ${min} to ${max}, received ${show(value)}`,
  );
}
