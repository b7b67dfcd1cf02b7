/* An audit record, and the line that it is written as. */
import type { CallOutcome } from '../common/response-end.js';
import type { Impact } from '../common/impact.js';
import { escapeText } from '../common/log-text.js';

/**
 * How a call ended, as its audit record says it.
 * @example
 * const outcome: AuditOutcome = 'ok';
 */
export type AuditOutcome = CallOutcome;

/**
 * An audit record: one event of a tool call, or of the trail itself. Fields that do not apply are absent.
 * @example
 * const record: AuditRecord = { time: '2026-01-01T00:00:00.000Z', event: 'finished', tool: 'refund', outcome: 'ok' };
 */
export interface AuditRecord {
  /** ISO 8601, UTC. */
  readonly time: string;
  /**
   * `started`: a call of impact `high` is about to run. `finished`: a call has run. `rejected`: a call has not run. `rejections`: `count`
   * calls with one outcome, status and code have not run. `dropped`: `count` records of low impact found no room. `recovered`: `count`
   * bytes behind the last whole line were cut off. `reopened`: `count` lines before this one were in a file that was removed, moved or
   * emptied.
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
  /** Of `rejections`, `dropped`, `recovered` and `reopened`. */
  readonly count?: number | undefined;
  /** Of `rejections`: when the first of them was counted. */
  readonly since?: string | undefined;
}

/** A record as one line of JSON without its end, whatever its texts hold. */
export function serializeRecord(record: object): string {
  return escapeText(JSON.stringify(record));
}
