/* Counts rejections instead of recording each. Use it for rejections of unidentified clients: the number of counts is bounded, the number
 * of requests is not. */
import type { CallEnd } from '../common/response-end.js';
import { joinKey } from '../common/join-key.js';
import type { AuditRecord } from './audit-record.js';

/** Codes of the module are about forty. An app may answer with codes of its own, and a client may be able to choose among them. */
const MAX_KINDS = 64;
const MAX_CODE_LENGTH = 64;
/** Counts everything beyond the bound. */
const OTHER: CallEnd = { outcome: 'rejected', code: 'other' };

interface Count {
  readonly kind: CallEnd;
  count: number;
  readonly sinceMs: number;
}

export class RejectionCounts {
  readonly #counts = new Map<string, Count>();

  constructor(private readonly nowMs: () => number) {}

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  add(kind: CallEnd): void {
    const key = keyOf(kind);
    if (this.#counts.has(key) || this.#counts.size < MAX_KINDS) this.#count(key, kind);
    else this.#count(keyOf(OTHER), OTHER);
  }

  /** Takes the summary of one kind out; `undefined` when nothing is left. */
  take(): Omit<AuditRecord, 'time'> | undefined {
    for (const [key, { kind, count, sinceMs }] of this.#counts) {
      this.#counts.delete(key);
      const { outcome, status, code } = kind;
      return { event: 'rejections', outcome, status, code, count, since: new Date(sinceMs).toISOString() };
    }
    return undefined;
  }

  #count(key: string, { outcome, status, code }: CallEnd): void {
    const known = this.#counts.get(key);
    if (known !== undefined) {
      known.count++;
      return;
    }
    const kind = { outcome, status, code: code?.slice(0, MAX_CODE_LENGTH) };
    this.#counts.set(key, { kind, count: 1, sinceMs: this.nowMs() });
  }
}

const keyOf = ({ outcome, status = 0, code = '' }: CallEnd): string =>
  joinKey(outcome, status, code.slice(0, MAX_CODE_LENGTH));
