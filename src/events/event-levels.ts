/* The log level of each security event, and of each code of a rejection. */
import type { ProblemCode } from '../common/problem-codes.js';
import type { SecurityEvent, SecurityEventType } from './security-events.js';

export const LEVELS = ['debug', 'log', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

/** `undefined` where the log has a line of its own about the same thing. */
const EVENT_LEVELS: Readonly<Record<Exclude<SecurityEventType, 'request.rejected'>, Level | undefined>> = {
  'limit.threshold': 'warn',
  'limit.unknown-tier': 'warn',
  // Counted, once a minute (limiter/quota-events.ts).
  'limit.shadow': undefined,
  // The rejection of its request has the reason too.
  'auth.rejected': undefined,
  'auth.limited': 'warn',
  'auth.key-revoked': 'log',
  'auth.closed': 'log',
  'limit.store': undefined,
  'tool.rejected': undefined,
  'tool.threshold': 'warn',
  'tool.first-use': 'debug',
  'tool.denials': 'warn',
  'audit.failing': undefined,
  'csp.report': 'debug',
};

/** A code without a level does not compile. */
const CODE_LEVELS: Readonly<Record<ProblemCode, Level | undefined>> = {
  host_invalid: 'warn',
  host_not_allowed: 'warn',
  origin_not_allowed: 'warn',
  credential_missing: 'warn',
  invalid_token: 'warn',
  insufficient_scope: 'warn',
  credential_ambiguous: 'warn',
  credential_in_url: 'warn',
  identity_unavailable: 'error',
  rate_limited: 'warn',
  limits_unavailable: 'error',
  tool_not_allowed: 'warn',
  mcp_invalid: 'warn',
  mcp_header_mismatch: 'warn',
  mcp_version_unsupported: 'warn',
  mcp_session_unknown: 'warn',
  network_not_allowed: 'warn',
  proxy_proof_invalid: 'warn',
  session_unknown: 'warn',
  tls_required: 'warn',
  audit_unavailable: 'error',
  url_invalid: 'warn',
  header_repeated: 'warn',
  path_invalid: 'warn',
  // Any client can disconnect.
  request_ended: 'debug',
  handler_timeout: 'warn',
  method_not_allowed: 'warn',
  body_too_large: 'warn',
  body_invalid: 'warn',
  validation_failed: 'log',
  bad_request: 'log',
  too_many_headers: 'warn',
  request_malformed: 'warn',
  uri_too_long: 'warn',
  request_timeout: 'warn',
  unsupported_media_type: 'log',
  not_found: 'debug',
  // The exception is logged with its stack.
  internal_error: undefined,
};

export const isProblemCode = (code: string): code is ProblemCode => Object.hasOwn(CODE_LEVELS, code);

/** @returns `undefined` for an event that is not logged */
export function levelOf(event: SecurityEvent): Level | undefined {
  if (event.type !== 'request.rejected') return EVENT_LEVELS[event.type];
  const { code, reason } = event;
  if (isProblemCode(code)) return CODE_LEVELS[code];
  // Exceptions of the app have no reason.
  return reason === undefined ? 'debug' : 'warn';
}
