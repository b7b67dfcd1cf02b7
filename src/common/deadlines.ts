/** Things that are late after one and the same time: one timer for all of them, since a timer each costs more than a decision. */
export class Deadlines<T> {
  /** In the order in which they are due. */
  readonly #due = new Map<T, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly ms: number,
    private readonly onLate: (thing: T) => void,
  ) {}

  add(thing: T): void {
    this.#due.set(thing, performance.now() + this.ms);
    this.#timer ??= setTimeout(() => this.#look(), this.ms);
  }

  /** It was in time; nothing happens if it was late already. */
  delete(thing: T): void {
    this.#due.delete(thing);
    if (this.#due.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const [thing, dueMs] of this.#due) {
      // Timers fire in whole milliseconds.
      if (dueMs - nowMs >= 1) {
        this.#timer ??= setTimeout(() => this.#look(), dueMs - nowMs);
        return;
      }
      this.#due.delete(thing);
      this.onLate(thing);
    }
  }
}
