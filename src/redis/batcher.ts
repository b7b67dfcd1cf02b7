/* Decisions that wait in one turn of the event loop go to Redis as one call; in a Cluster, as one call for each slot. */
import type { QuotaDecision } from '../limiter/consume.js';
import { createScriptCall, type QuotaCall, readReply, windowsOf } from './quota-call.js';
import { groupBySlot } from './quota-keys.js';
import type { RecentDenials } from './recent-denials.js';
import type { ScriptRunner } from './read-client.js';
import { loneScriptOf } from './script/lone-script.js';
import { QUOTA_SCRIPT } from './script/quota-script.js';
import { runScript } from './script/script.js';

interface Waiting {
  readonly quotaCall: QuotaCall;
  resolve(decision: QuotaDecision): void;
  reject(error: unknown): void;
}

/** Bounds what a client queues for a server that does not answer. */
const MAX_CALLS = 1_000;
/** From so many decisions on, an idle connection gets two calls: Redis works on the second while this process reads the first's answers. */
const MIN_TO_HALVE = 32;

export class Batcher {
  #waiting: Waiting[] = [];
  #calls = 0;

  /**
   * @param maxBatch decisions in one call
   * @param now a test's clock, Unix time in milliseconds, in place of the server's
   */
  constructor(
    private readonly runner: ScriptRunner,
    private readonly denials: RecentDenials,
    private readonly maxBatch: number,
    private readonly now: (() => number) | undefined,
  ) {}

  /** Milliseconds by the clock of this process. */
  nowMs(): number {
    return this.now === undefined ? performance.now() : this.now();
  }

  /** Settles when Redis has answered, however late. */
  send(quotaCall: QuotaCall): Promise<QuotaDecision> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ quotaCall, resolve, reject }) > 1) return;
      // A single decision goes at once. While a call is open it waits until all sockets of this turn are read: their requests share the
      // next.
      if (this.#calls === 0) queueMicrotask(() => this.#flush());
      else setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (!this.runner.isCluster) this.#split(waiting);
    else for (const batch of groupBySlot(waiting, ({ quotaCall }) => quotaCall.keys[0]!)) this.#split(batch);
  }

  /** Sends a batch as few calls of about one size. */
  #split(batch: readonly Waiting[]): void {
    const least = this.#calls === 0 && batch.length >= MIN_TO_HALVE ? 2 : 1;
    const calls = Math.max(least, Math.ceil(batch.length / this.maxBatch));
    if (calls === 1) return void this.#call(batch);
    const size = Math.ceil(batch.length / calls);
    for (let from = 0; from < batch.length; from += size) void this.#call(batch.slice(from, from + size));
  }

  /** Never rejects. */
  async #call(batch: readonly Waiting[]): Promise<void> {
    if (this.#calls >= MAX_CALLS) return fail(batch, new Error(`${MAX_CALLS} calls to Redis are unanswered`));
    this.#calls++;
    try {
      const quotaCalls = batch.map(({ quotaCall }) => quotaCall);
      const requestedMs = this.nowMs();
      const lone = quotaCalls.length === 1 ? this.#runLone(quotaCalls[0]!) : undefined;
      const reply = (lone && (await lone)) ?? (await this.#run(quotaCalls));
      const decisions = readReply(quotaCalls, reply);
      for (let index = 0; index < batch.length; index++) {
        const { quotaCall, resolve } = batch[index]!;
        const decision = decisions[index]!;
        if (!decision.granted) this.denials.add(quotaCall, decision, requestedMs);
        resolve(decision);
      }
    } catch (error) {
      fail(batch, error);
    } finally {
      this.#calls--;
    }
  }

  #run(quotaCalls: readonly QuotaCall[]): Promise<unknown> {
    const { keys, input } = createScriptCall(quotaCalls);
    return runScript(this.runner, QUOTA_SCRIPT, keys, [input, ...this.#clock()]);
  }

  /** A single usual decision has a script of its own, which takes half the time. It replies nothing to what it does not decide. */
  #runLone(quotaCall: QuotaCall): Promise<unknown> | undefined {
    const windows = windowsOf(quotaCall);
    if (windows === undefined) return undefined;
    const script = loneScriptOf(quotaCall.sets[0]!.policies.length);
    return runScript(this.runner, script, quotaCall.keys, [windows, ...this.#clock()]);
  }

  #clock(): string[] {
    return this.now === undefined ? [] : [String(this.now())];
  }
}

function fail(batch: readonly Waiting[], error: unknown): void {
  for (const { reject } of batch) reject(error);
}
