/* Things that are late after one and the same time: one timer for all of them, since a timer each costs more than a decision. */

/** What `add` gives for a thing and `delete` takes. It lets go of the thing when that is late or deleted. */
export interface Deadline<T> {
  readonly dueMs: number;
  thing: T | undefined;
}

/**
 * No `Map` of them: one that is added to and deleted from all the while keeps leaving tables behind, each of which holds the next,
 * and once the first of them is old the garbage collector takes all for living.
 */
export class Deadlines<T> {
  /** In the order in which they are due; those before the head are done with, some behind it too. */
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

  /** It was in time; nothing happens if it was late already. */
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

  /** Drops what is done with from the head of the queue, once that is half of it or more. */
  #trim(): void {
    while (this.#head < this.#queue.length && this.#queue[this.#head]!.thing === undefined) this.#head++;
    if (this.#head * 2 < this.#queue.length) return;
    this.#queue.splice(0, this.#head);
    this.#head = 0;
  }

  /** Where this process stood still, answers wait that came in time: they are read between a timer and what follows it at once. */
  #wait(ms: number): void {
    if (this.#stopWaiting !== undefined) return;
    const timer = setTimeout(() => {
      const immediate = setImmediate(() => this.#peek());
      this.#stopWaiting = () => clearImmediate(immediate);
    }, ms);
    this.#stopWaiting = () => clearTimeout(timer);
  }

  #peek(): void {
    this.#stopWaiting = undefined;
    const nowMs = performance.now();
    for (let deadline = this.#first(); deadline !== undefined; deadline = this.#first()) {
      // Timers fire in whole milliseconds.
      if (deadline.dueMs - nowMs >= 1) return this.#wait(deadline.dueMs - nowMs);
      this.onLate(this.#take(deadline)!);
    }
  }

  #first(): Deadline<T> | undefined {
    this.#trim();
    return this.#queue[this.#head];
  }
}
