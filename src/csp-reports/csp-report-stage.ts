/* The endpoint to which browsers send reports. It answers before routing. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../common/clock.js';
import { requestPath } from '../common/http-request.js';
import { joinKey } from '../common/join-key.js';
import type { ProblemFields } from '../common/problem.js';
import { readBody } from '../common/read-body.js';
import type { RequestState } from '../common/request-state.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { AnswerNow } from '../http/unread-body.js';
import { createPolicy } from '../limiter/create-policy.js';
import { LIMITS_UNAVAILABLE, type QuotaEngine } from '../limiter/quota-engine.js';
import { quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import { SharedLimit } from '../limiter/shared-limit.js';
import type { CspReports } from './csp-reports.js';
import { readReports, REPORT_TYPES } from './read-reports.js';
import type { CspViolation } from './csp-violation.js';

/** Requests of one address. A page load sends its reports in one or a few requests. */
const LIMIT = createPolicy({ name: 'csp-reports', limit: 60, windowMs: 60_000 });

/** A report is a few kilobytes. */
const BODY_BOUNDS = { maxBytes: 65_536, timeoutMs: 10_000 };

const FAULTS = {
  read: { status: 400, code: 'body_invalid', detail: 'The body is not a report.' },
  'too-large': {
    status: 413,
    code: 'body_too_large',
    detail: `A report may have at most ${BODY_BOUNDS.maxBytes} bytes.`,
  },
  'too-slow': { status: 408, code: 'request_timeout', detail: 'The report did not arrive in time.' },
} as const satisfies Readonly<Record<string, ProblemFields>>;

/** The reports of a page load come at once; listeners get one event a second. */
const EVENT_INTERVAL_MS = 1_000;

export class CspReportStage {
  /** Browsers report from pages of every origin, without credentials. */
  readonly isOpenToOrigins = true;
  readonly #limit: SharedLimit;
  #emittedMs = -Infinity;
  #omitted = 0;

  constructor(
    private readonly path: string,
    private readonly reports: CspReports,
    private readonly events: SecurityEvents,
    private readonly clock: Clock,
    private readonly answerNow: AnswerNow,
    engine: QuotaEngine,
  ) {
    this.#limit = new SharedLimit(LIMIT, engine);
  }

  claims(raw: IncomingMessage): boolean {
    const { url = '' } = raw;
    return url.startsWith(this.path) && requestPath(url) === this.path;
  }

  async run(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<false> {
    if (raw.method === 'OPTIONS' && raw.headers['access-control-request-method'] !== undefined) {
      this.#answerPreflight(response, state);
      return false;
    }
    const problem = await this.#check(raw, state);
    if (problem === undefined) await this.#readReports(raw, response, state);
    else this.answerNow(raw, response, problem);
    return false;
  }

  async #check(
    { method, headers }: IncomingMessage,
    state: RequestState,
  ): Promise<ProblemFields | undefined> {
    if (method !== 'POST') {
      const detail = 'Reports are sent with POST.';
      return { status: 405, code: 'method_not_allowed', detail, allow: 'POST, OPTIONS' };
    }
    const decision = await this.#limit.consumeOf(state.client);
    if (decision === 'unavailable') {
      state.rejectionHeaders = LIMITS_UNAVAILABLE.headers;
      return LIMITS_UNAVAILABLE.problem;
    }
    if (decision?.granted === false) {
      state.limits.quotaHeaders = quotaHeaders(decision, this.clock.epochMs(), true);
      return quotaProblem(decision);
    }
    const type = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
    if (!REPORT_TYPES.has(type) || headers['content-encoding'] !== undefined) {
      const detail = `Reports are ${[...REPORT_TYPES].join(' or ')}.`;
      return { status: 415, code: 'unsupported_media_type', detail };
    }
    return Number(headers['content-length'] ?? 0) > BODY_BOUNDS.maxBytes ? FAULTS['too-large'] : undefined;
  }

  async #readReports(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<void> {
    state.requestBody();
    const reading = await readBody(raw, BODY_BOUNDS);
    if (reading.kind === 'gone') return;
    const violations = reading.kind === 'read' ? readReports(reading.bytes) : undefined;
    if (violations === undefined) {
      this.answerNow(raw, response, FAULTS[reading.kind]);
      return;
    }
    const reporter = joinKey(state.client.key.hi, state.client.key.lo);
    for (const violation of violations)
      this.#emitEvent(violation, this.reports.add(violation, reporter), state);
    response.writeHead(204);
    response.end();
  }

  #emitEvent(violation: CspViolation, count: number, state: RequestState): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#emittedMs < EVENT_INTERVAL_MS) {
      this.#omitted++;
      return;
    }
    this.events.emit({
      type: 'csp.report',
      timeMs: this.clock.epochMs(),
      requestId: state.id || undefined,
      address: state.client.address || undefined,
      ...violation,
      count,
      omitted: this.#omitted,
    });
    this.#emittedMs = nowMs;
    this.#omitted = 0;
  }

  #answerPreflight(response: ServerResponse, state: RequestState): void {
    state.cors.grantHeaders = ['Access-Control-Allow-Origin', '*'];
    response.writeHead(204, {
      'Access-Control-Allow-Methods': 'POST',
      'Access-Control-Allow-Headers': 'Content-Type',
      'Access-Control-Max-Age': '600',
    });
    response.end();
  }
}
