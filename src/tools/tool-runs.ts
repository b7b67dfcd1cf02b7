/* The calls that are under way, from the first guard to the end of their responses, so that a call is recorded whoever rejects it: another
 * guard, a pipe, the handler, or the client that goes away. */
import type { ServerResponse } from 'node:http';
import { outcomeOf } from '../audit/audit-record.js';
import type { AuditedCall, AuditEnd, AuditStart, AuditTrail } from '../audit/audit-trail.js';
import type { Clock } from '../common/clock.js';
import type { RequestState } from '../common/request-state.js';
import {
  hasResponseEnded,
  isResponseWhole,
  REQUEST_ENDED,
  whenResponseEnds,
} from '../common/response-end.js';
import type { Tool } from './tool.js';
import { auditEntryOf, rejectedEntryOf, type ToolRequest } from './tool-request.js';

interface Run {
  readonly response: ServerResponse;
  /** Records how it ended, when the response ends. */
  end: (end: AuditEnd) => void;
  /** The call that has started last. */
  call?: AuditedCall;
}

const NOTHING = (): void => undefined;

const ENDED: AuditStart = { recorded: false, problem: REQUEST_ENDED, headers: [] };

/** A call that may run, and whether its end is recorded with the end of the response. */
type RunStart = AuditStart & { readonly isWatched: boolean };

export class ToolRuns {
  readonly #runs = new WeakMap<RequestState, Run>();

  constructor(
    private readonly audit: AuditTrail,
    private readonly clock: Clock,
  ) {}

  /** Watches the response to a request to a tool's handler. */
  watch(tool: Tool, request: ToolRequest, response: ServerResponse): void {
    const { state } = request;
    if (state === undefined || this.#runs.has(state)) return;
    const startedMs = this.clock.monotonicMs();
    const run: Run = {
      response,
      end: end =>
        this.audit.reject(rejectedEntryOf(tool, request, end.outcome), {
          ...end,
          durationMs: this.clock.monotonicMs() - startedMs,
        }),
    };
    this.#runs.set(state, run);
    whenResponseEnds(response, isWhole => run.end(endOf(response, state, isWhole)));
  }

  /** Records that a call is about to run. A call whose response has ended by then does not run, and is recorded so. */
  async start(tool: Tool, request: ToolRequest): Promise<RunStart> {
    const { state } = request;
    const run = state && this.#runs.get(state);
    const response = run?.response ?? request.response;
    if (run !== undefined && hasResponseEnded(run.response)) return { ...ENDED, isWatched: true };
    // An interceptor of the app runs the handler again: the call before has failed.
    run?.call?.finish({ outcome: 'failed' });
    const entry = auditEntryOf(tool, request);
    const rejected = run?.end;
    // Until the start is recorded, an end is found below.
    if (run !== undefined) run.end = NOTHING;
    const start = await this.audit.begin(entry);
    const isWatched = run !== undefined;
    if (response !== undefined && state !== undefined && hasResponseEnded(response)) {
      const end = endOf(response, state, isResponseWhole(response));
      if (start.recorded) start.call.cancel(end);
      else rejected?.(end);
      return { ...ENDED, isWatched };
    }
    if (isWatched) {
      run.end = start.recorded ? end => start.call.finish(end) : rejected!;
      if (start.recorded) run.call = start.call;
    }
    return { ...start, isWatched };
  }
}

function endOf(response: ServerResponse, { outcome: { problem } }: RequestState, isWhole: boolean): AuditEnd {
  const { headersSent, statusCode } = response;
  return {
    outcome: isWhole ? outcomeOf(statusCode) : 'aborted',
    status: headersSent ? statusCode : undefined,
    code: problem,
  };
}
