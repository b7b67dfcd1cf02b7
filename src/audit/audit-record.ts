/* One record of the audit, and the one line that it is written as. */
import type { CallOutcome } from '../common/call-end.js';
import type { Impact } from '../common/impact.js';

export type AuditOutcome = CallOutcome;

export interface AuditRecord {
  /** ISO 8601, UTC. */
  readonly time: string;
  /**
   * `started`: a call of impact `high` is about to run. `finished`: a call has run. `refused`: a call has not run. `rejected`: so many
   * calls with one status and code have not run. `dropped`: so many records of low impact found no room. `recovered`: so many bytes
   * behind the last whole line were cut off. `reopened`: so many lines before this one were in a file that was removed, moved or emptied.
   */
  readonly event: 'started' | 'finished' | 'rejected' | 'rejections' | 'dropped' | 'recovered' | 'reopened';
  /** The same in the `started` record of a call and in the one that says how it ended. */
  readonly call?: string | undefined;
  readonly tool?: string | undefined;
  readonly impact?: Impact | undefined;
  /** The verified agent's ID. */
  readonly agent?: string | undefined;
  readonly address?: string | undefined;
  readonly requestId?: string | undefined;
  /** Of a valid `traceparent`. */
  readonly traceId?: string | undefined;
  /** The app's own verb that the request stood for. */
  readonly verb?: string | undefined;
  /** Redacted. A call of impact `high` has them in its `started` record. */
  readonly params?: unknown;
  readonly outcome?: AuditOutcome | undefined;
  /** The HTTP status, or what stands for it. */
  readonly status?: number | undefined;
  /** The code of the problem that was answered. */
  readonly code?: string | undefined;
  readonly durationMs?: number | undefined;
  /** Of `rejected`, `dropped`, `recovered` and `reopened`. */
  readonly count?: number | undefined;
  /** Of `rejected`: when the first of them was counted. */
  readonly since?: string | undefined;
}

/** What ends a line, moves a terminal's cursor or turns the direction of text, beyond what JSON escapes by itself. */
const UNSAFE = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A record as one line of JSON without its end, whatever its texts hold. */
export function serializeRecord(record: object): string {
  return JSON.stringify(record).replace(
    UNSAFE,
    char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
