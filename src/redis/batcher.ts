/* Decisions that wait in one turn of the event loop go to Redis as one call; in a Cluster, as one call a slot. */
import { type Deadline, Deadlines } from '../common/deadlines.js';
import type { QuotaDecision } from '../limiter/consume.js';
import { createScriptCall, type QuotaCall, readReply } from './quota-call.js';
import { slotOf } from './quota-keys.js';
import { CONSUME } from './quota-script.js';
import type { ScriptRunner } from './redis-client.js';
import { runScript } from './run-script.js';

interface Waiting {
  readonly quotaCall: QuotaCall;
  resolve(decision: QuotaDecision): void;
  reject(error: Error): void;
}

type Call = readonly Waiting[];

export interface BatcherSettings {
  /** How long a call may take. */
  readonly deadlineMs: number;
  /** Decisions in one call. */
  readonly maxBatch: number;
  /** A test's clock in place of the server's. */
  readonly now?: (() => number) | undefined;
  /** Told of each refusal. `askedMs` is a moment before Redis judged. */
  onDenied(quotaCall: QuotaCall, decision: QuotaDecision, requestedMs: number): void;
  /** Told of what was granted after it had been given up. */
  onLate(quotaCall: QuotaCall, decision: QuotaDecision): void;
}

/** A client that queues commands for a dead server must not be given ever more of them. */
const MAX_CALLS = 1_000;
/** So many that come while nothing is under way go as two calls: Redis works on the second while this process reads the first's answers. */
const MIN_TO_HALVE = 32;

export class Batcher {
  readonly #deadlines: Deadlines<Call>;
  readonly #nowMs: () => number;
  #waiting: Waiting[] = [];
  #calls = 0;
  /** Decisions that were given up, and may still be made. */
  readonly #late = new WeakSet<QuotaCall>();

  constructor(
    private readonly runner: ScriptRunner,
    private readonly settings: BatcherSettings,
  ) {
    const { deadlineMs, now } = settings;
    this.#nowMs = now ?? (() => performance.now());
    this.#deadlines = new Deadlines(deadlineMs, call => {
      // Only decisions have a deadline. A settlement waits for Redis, which carries it out even when it is late.
      const consuming = call.filter(({ quotaCall }) => quotaCall.deed === CONSUME);
      for (const { quotaCall } of consuming) this.#late.add(quotaCall);
      fail(consuming, new Error(`Redis gave no answer within ${deadlineMs} ms`));
    });
  }

  consume(quotaCall: QuotaCall): Promise<QuotaDecision> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ quotaCall, resolve, reject }) > 1) return;
      // One alone goes at once. Behind another call it waits until all sockets of this turn are read: their requests share the next.
      if (this.#calls === 0) queueMicrotask(() => this.#flush());
      else setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (!this.runner.isCluster) this.#share(waiting);
    else for (const batch of bySlot(waiting)) this.#share(batch);
  }

  /** Shares decisions out to as many calls as they need, all of about one size. */
  #share(batch: readonly Waiting[]): void {
    const { maxBatch } = this.settings;
    const least = this.#calls === 0 && batch.length >= MIN_TO_HALVE ? 2 : 1;
    const calls = Math.max(least, Math.ceil(batch.length / maxBatch));
    if (calls === 1) return this.#send(batch);
    const size = Math.ceil(batch.length / calls);
    for (let from = 0; from < batch.length; from += size) this.#send(batch.slice(from, from + size));
  }

  #send(call: Call): void {
    if (this.#calls >= MAX_CALLS) return fail(call, new Error(`${MAX_CALLS} calls to Redis are unanswered`));
    const { now } = this.settings;
    const { keys, input } = createScriptCall(call.map(({ quotaCall }) => quotaCall));
    const requestedMs = this.#nowMs();
    this.#calls++;
    const deadline = this.#deadlines.add(call);
    void this.#run(call, deadline, keys, [input, now === undefined ? '' : String(now())], requestedMs);
  }

  async #run(
    call: Call,
    deadline: Deadline<Call>,
    keys: string[],
    args: string[],
    requestedMs: number,
  ): Promise<void> {
    try {
      this.#deliver(call, await runScript(this.runner, keys, args), requestedMs);
    } catch (error) {
      fail(call, error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#calls--;
      this.#deadlines.delete(deadline);
    }
  }

  #deliver(call: Call, reply: unknown, requestedMs: number): void {
    let decisions: readonly QuotaDecision[];
    try {
      decisions = readReply(
        call.map(({ quotaCall }) => quotaCall),
        reply,
      );
    } catch (error) {
      return fail(call, error as Error);
    }
    for (let index = 0; index < call.length; index++) {
      const { quotaCall, resolve } = call[index]!;
      const decision = decisions[index]!;
      if (!decision.granted) this.settings.onDenied(quotaCall, decision, requestedMs);
      else if (this.#late.has(quotaCall)) this.settings.onLate(quotaCall, decision);
      resolve(decision);
    }
  }
}

/** Those that are decided already stay so. */
function fail(call: Call, error: Error): void {
  for (const { reject } of call) reject(error);
}

function bySlot(waiting: readonly Waiting[]): Iterable<Waiting[]> {
  const slots = new Map<number, Waiting[]>();
  for (const each of waiting) {
    const slot = slotOf(each.quotaCall.keys[0]!);
    const others = slots.get(slot);
    if (others === undefined) slots.set(slot, [each]);
    else others.push(each);
  }
  return slots.values();
}
