/* The input of the audit trail, a call of a tool, and its result. */
import type { CallEnd } from '../common/response-end.js';
import type { Impact } from '../common/impact.js';
import type { Rejection } from '../common/problem.js';

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
