/* Timeouts that share one timer: a timer per request costs more than a rate-limit decision. */

/** The entry that `add` returns and `delete` takes. It drops its value when it expires or is deleted. */
interface Deadline<T> {
  readonly dueMs: number;
  thing: T | undefined;
}

/**
 * Uses no `Map`: with constant additions and deletions a `Map` leaves a chain of old hash tables, and once the first of them is in the old
 * generation, the garbage collector keeps all of them.
 */
export class Deadlines<T> {
  /** In the order in which they are due. Entries before the head are done; some after it may be. */
  #queue: Deadline<T>[] = [];
  #head = 0;
  #open = 0;
  #stopWaiting: (() => void) | undefined;

  constructor(
    private readonly ms: number,
    private readonly onLate: (thing: T) => void,
  ) {}

  add(thing: T): Deadline<T> {
    const deadline = { dueMs: performance.now() + this.ms, thing };
    this.#queue.push(deadline);
    this.#open++;
    this.#wait(this.ms);
    return deadline;
  }

  /** Removes an entry; nothing happens if it has expired. */
  delete(deadline: Deadline<T>): void {
    if (this.#take(deadline) === undefined) return;
    this.#trim();
    if (this.#open > 0) return;
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
  }

  #take(deadline: Deadline<T>): T | undefined {
    const { thing } = deadline;
    if (thing === undefined) return undefined;
    deadline.thing = undefined;
    this.#open--;
    return thing;
  }

  /** Drops finished entries from the head of the queue, once they are half of it. */
  #trim(): void {
    while (this.#head < this.#queue.length && this.#queue[this.#head]!.thing === undefined) this.#head++;
    if (this.#head * 2 < this.#queue.length) return;
    this.#queue.splice(0, this.#head);
    this.#head = 0;
  }

  /** `setImmediate` after the timer: if the process was blocked, responses that arrived in time are read first. */
  #wait(ms: number): void {
    if (this.#stopWaiting !== undefined) return;
    const timer = setTimeout(() => {
      const immediate = setImmediate(() => this.#expireDue());
      this.#stopWaiting = () => clearImmediate(immediate);
    }, ms);
    this.#stopWaiting = () => clearTimeout(timer);
  }

  #expireDue(): void {
    this.#stopWaiting = undefined;
    const nowMs = performance.now();
    for (let deadline = this.#first(); deadline !== undefined; deadline = this.#first()) {
      // Timers have a resolution of 1 ms.
      if (deadline.dueMs - nowMs >= 1) return this.#wait(deadline.dueMs - nowMs);
      this.onLate(this.#take(deadline)!);
    }
  }

  #first(): Deadline<T> | undefined {
    this.#trim();
    return this.#queue[this.#head];
  }
}
