/* Decisions that wait in one turn of the event loop go to Redis as one call; in a Cluster, as one call a slot. */
import type { Verdict } from '../rate-limit/judge.js';
import { createCall, type Decision, readReply } from './quota-call.js';
import { slotOf } from './quota-keys.js';
import type { ScriptRunner } from './redis-client.js';
import { runScript } from './run-script.js';

interface Waiting {
  readonly decision: Decision;
  resolve(verdict: Verdict): void;
  reject(error: Error): void;
}

export interface BatcherSettings {
  /** How long a call may take. */
  readonly deadlineMs: number;
  /** Decisions in one call. */
  readonly maxBatch: number;
  /** A test's clock in place of the server's. */
  readonly now?: (() => number) | undefined;
}

/** A client that queues commands for a dead server must not be given ever more of them. */
const MAX_CALLS = 1_000;

export class Batcher {
  #waiting: Waiting[] = [];
  #calls = 0;

  constructor(
    private readonly runner: ScriptRunner,
    private readonly settings: BatcherSettings,
  ) {}

  judge(decision: Decision): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ decision, resolve, reject }) > 1) return;
      // One alone goes at once. Behind another call it waits until all sockets of this turn are read: their requests share the next.
      if (this.#calls === 0) queueMicrotask(() => this.#flush());
      else setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const batch of this.runner.isCluster ? bySlot(waiting) : [waiting]) {
      for (let from = 0; from < batch.length; from += this.settings.maxBatch) {
        void this.#call(batch.slice(from, from + this.settings.maxBatch));
      }
    }
  }

  async #call(batch: readonly Waiting[]): Promise<void> {
    try {
      const decisions = batch.map(({ decision }) => decision);
      const verdicts = readReply(decisions, await this.#run(decisions));
      for (const [index, { resolve }] of batch.entries()) resolve(verdicts[index]!);
    } catch (error) {
      for (const { reject } of batch) reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #run(decisions: readonly Decision[]): Promise<unknown> {
    if (this.#calls >= MAX_CALLS) throw new Error(`${MAX_CALLS} calls to Redis are unanswered`);
    const { keys, input } = createCall(decisions);
    const { deadlineMs, now } = this.settings;
    this.#calls++;
    const running = runScript(this.runner, keys, [input, now === undefined ? '' : String(now())]).finally(
      () => this.#calls--,
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`Redis gave no answer within ${deadlineMs} ms`)), deadlineMs);
    });
    try {
      return await Promise.race([running, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function bySlot(waiting: readonly Waiting[]): Iterable<Waiting[]> {
  const slots = new Map<number, Waiting[]>();
  for (const each of waiting) {
    const slot = slotOf(each.decision.keys[0]!);
    const others = slots.get(slot);
    if (others === undefined) slots.set(slot, [each]);
    else others.push(each);
  }
  return slots.values();
}
