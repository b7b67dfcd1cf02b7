/* Audit records and their lines; and what they are made of: a call of a tool, and its end. */
import type { CallEnd, CallOutcome } from '../common/response-end.js';
import type { Impact } from '../common/impact.js';
import { escapeText } from '../common/log-text.js';
import type { Rejection } from '../common/rejection.js';

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

/**
 * An audit record with its line.
 * @example
 * const print = ({ record, text }: AuditLine) => (record.impact === 'high' ? console.warn(text) : console.log(text));
 */
export interface AuditLine {
  readonly record: AuditRecord;
  /** The record as JSON, in one line without its end. */
  readonly text: string;
}

/**
 * A call as it is known before it runs.
 * @example
 * const entry: AuditEntry = { tool: 'import_users', impact: 'high', agent: agent.id, params: { file } };
 */
export interface AuditEntry {
  readonly tool: string;
  readonly impact: Impact;
  /** Names of parameters that the record does not show, beside those that no record shows. */
  readonly redact?: readonly string[] | undefined;
  /** The verified agent's ID. */
  readonly agent?: string | undefined;
  /** As the client sent them. */
  readonly params?: unknown;
  readonly address?: string | undefined;
  readonly requestId?: string | undefined;
  /** The header as it came. */
  readonly traceparent?: unknown;
  /** Of `@Verb()`. */
  readonly verb?: string | undefined;
}

/**
 * The end of a call: its outcome, and the status and code of its response.
 * @example
 * const end: AuditEnd = { outcome: 'rejected', status: 403, code: 'insufficient_scope' };
 */
export type AuditEnd = CallEnd;

/**
 * A call that may run. It must be finished or cancelled: call one of the methods exactly once.
 * @example
 * const finish = (call: AuditedCall) => call.finish({ outcome: 'ok', status: 200 });
 */
export interface AuditedCall {
  /** Records how the call ended. The first end counts. */
  finish(end: AuditEnd): void;
  /** Records that the call has not run after all. */
  cancel(end: AuditEnd): void;
}

/**
 * The result of `AuditTrail.begin()`: the call may run, or its record could not be written and it must not run.
 * @example
 * const start: AuditStart = await audit.begin({ tool: 'import_users', impact: 'high' });
 * if (!start.recorded) return start.problem;
 */
export type AuditStart =
  { readonly recorded: true; readonly call: AuditedCall } | ({ readonly recorded: false } & Rejection);

/** The record of this moment with its line. */
export function createLine(parts: Omit<AuditRecord, 'time'>, epochMs: number): AuditLine {
  const record: AuditRecord = { time: new Date(epochMs).toISOString(), ...parts };
  return { record, text: serializeRecord(record) };
}

/** A record as one line of JSON without its end, whatever its texts hold. */
export function serializeRecord(record: object): string {
  return escapeText(JSON.stringify(record));
}

/** As W3C Trace Context level 1 section 3.2.2 has it; later versions may say more behind a further dash. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;

/** The trace ID of a `traceparent` header; `undefined` for an invalid one, an all-zero one, or several (which Node joins by a comma). */
export function readTraceId(header: unknown): string | undefined {
  if (typeof header !== 'string' || header.length > 512) return undefined;
  const match = TRACEPARENT.exec(header);
  if (match === null) return undefined;
  const [, version, traceId, parentId, more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  return /^0+$/.test(traceId!) || /^0+$/.test(parentId!) ? undefined : traceId;
}
