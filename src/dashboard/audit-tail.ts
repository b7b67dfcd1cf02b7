/* The last audit records, without the parameters of calls. */
import type { AuditRecord } from '../audit/audit-record.js';
import { shorten } from './recent-rejections.js';

export type AuditRow = { readonly timeMs: number } & Pick<
  AuditRecord,
  | 'event'
  | 'tool'
  | 'impact'
  | 'agent'
  | 'address'
  | 'requestId'
  | 'outcome'
  | 'status'
  | 'code'
  | 'durationMs'
  | 'count'
>;

const MAX_RECORDS = 100;

export class AuditTail {
  /** Oldest first. */
  readonly #rows: AuditRow[] = [];

  add(record: AuditRecord): void {
    if (this.#rows.length >= MAX_RECORDS) this.#rows.shift();
    const { event, impact, outcome, status, durationMs, count } = record;
    this.#rows.push({
      timeMs: Date.parse(record.time),
      event,
      tool: shorten(record.tool),
      impact,
      agent: shorten(record.agent),
      address: record.address || undefined,
      requestId: shorten(record.requestId),
      outcome,
      status,
      code: shorten(record.code),
      durationMs,
      count,
    });
  }

  list(): readonly AuditRow[] {
    return this.#rows;
  }
}
