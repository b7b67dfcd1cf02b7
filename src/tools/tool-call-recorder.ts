/* Writes the audit records of calls of handlers, from the first guard to the end of the response: a call has its record
 * even if another guard, a pipe or the handler rejects it, or the client disconnects. */
import type { AuditStart } from '../audit/audit-record.js';
import type { AuditTrail } from '../audit/audit-trail.js';
import {
  readCallEnd,
  hasResponseEnded,
  isResponseWhole,
  REQUEST_ENDED,
  whenResponseEnds,
} from '../common/response-end.js';
import type { Clock } from '../common/clock.js';
import type { ProblemFields } from '../common/problem.js';
import type { Tool } from './tool.js';
import { auditEntryOf, rejectedEntryOf, type ToolRequest } from './tool-request.js';

const ENDED: AuditStart = { recorded: false, problem: REQUEST_ENDED, headers: [] };
const IGNORE = (): void => undefined;

export class ToolCallRecorder {
  constructor(
    private readonly audit: AuditTrail,
    private readonly clock: Clock,
  ) {}

  /** Opens the call of an HTTP request. Its end is recorded with the end of the response: as a rejection, unless an attempt starts. */
  open(tool: Tool, request: ToolRequest): void {
    const { state, response } = request;
    if (state === undefined || response === undefined || state.tool !== undefined) return;
    const startedMs = this.clock.monotonicMs();
    const call = (state.tool = {
      end: end =>
        this.audit.reject(rejectedEntryOf(tool, request, end.outcome), {
          ...end,
          durationMs: this.clock.monotonicMs() - startedMs,
        }),
      attempt: undefined,
    });
    whenResponseEnds(response, isWhole => call.end(readCallEnd(response, state.outcome.problem, isWhole)));
  }

  /** Records the rejection of a call that is not open: of a message or of a GraphQL field. */
  reject(tool: Tool, request: ToolRequest, { status, code }: ProblemFields): void {
    if (request.state?.tool === undefined)
      this.audit.reject(rejectedEntryOf(tool, request, 'rejected'), { status, code });
  }

  /** Records that the handler is about to run. Where the response has ended by then, it must not run, and the record says so. */
  async start(tool: Tool, request: ToolRequest): Promise<AuditStart> {
    const { state, response } = request;
    const open = state?.tool;
    if (open !== undefined && hasResponseEnded(response!)) return ENDED;
    // An interceptor of the app runs the handler again: the attempt before has failed.
    open?.attempt?.finish({ outcome: 'failed' });
    const entry = auditEntryOf(tool, request);
    const reject = open?.end;
    // Until the start is recorded, the end of the response is found below.
    if (open !== undefined) open.end = IGNORE;
    const start = await this.audit.begin(entry);
    if (state !== undefined && response !== undefined && hasResponseEnded(response)) {
      const end = readCallEnd(response, state.outcome.problem, isResponseWhole(response));
      if (start.recorded) start.call.cancel(end);
      else reject?.(end);
      return ENDED;
    }
    if (open === undefined) return start;
    open.end = start.recorded ? end => start.call.finish(end) : reject!;
    if (start.recorded) open.attempt = start.call;
    return start;
  }
}
