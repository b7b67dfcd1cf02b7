import type { AuditLine, AuditRecord, AuditSink } from '../../src/index.js';

/** A sink that keeps its records in memory, and can be made to wait. */
export class HeldSink implements AuditSink {
  readonly name = 'held';
  readonly records: AuditRecord[] = [];
  #release: (() => void) | undefined;
  #held: Promise<void> | undefined;

  async write(lines: readonly AuditLine[]): Promise<void> {
    this.records.push(...lines.map(({ record }) => record));
    await this.#held;
  }

  /** Writes are not confirmed until `release()`. */
  hold(): void {
    this.#held = new Promise(resolve => (this.#release = resolve));
  }

  release(): void {
    this.#release?.();
    this.#held = undefined;
  }

  /** The event and the outcome of each record of a call, by the call's ID. */
  get ends(): Map<string, string[]> {
    const ends = new Map<string, string[]>();
    for (const { call, event, outcome } of this.records)
      ends.set(call!, [...(ends.get(call!) ?? []), outcome === undefined ? event : `${event} ${outcome}`]);
    return ends;
  }
}
