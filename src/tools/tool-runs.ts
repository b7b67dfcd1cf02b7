/* The calls that are under way, from the first guard to the end of their answers, so that a call is recorded whoever refuses it: another
 * guard, a pipe, the handler, or the client that goes away. */
import type { ServerResponse } from 'node:http';
import type { AuditOutcome } from '../audit/audit-record.js';
import type { AuditedCall, AuditTrail } from '../audit/audit-trail.js';
import type { Clock } from '../common/clock.js';
import type { RequestState } from '../common/request-state.js';
import type { Tool } from './tool.js';
import { rejectedEntryOf, type ToolRequest } from './tool-request.js';

interface Run {
  readonly tool: Tool;
  /** Once the guard has let it through. */
  call: AuditedCall | undefined;
}

/** What a client hears when a call was not made. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 421, 429]);

export class ToolRuns {
  readonly #runs = new WeakMap<RequestState, Run>();

  constructor(
    private readonly audit: AuditTrail,
    private readonly clock: Clock,
  ) {}

  /** Watches the answer of a request to a tool's handler. */
  watch(tool: Tool, request: ToolRequest, response: ServerResponse): void {
    const { state } = request;
    if (state === undefined || this.#runs.has(state)) return;
    const run: Run = { tool, call: undefined };
    this.#runs.set(state, run);
    const startedMs = this.clock.monotonicMs();
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      const isWhole = response.writableFinished;
      const status = response.headersSent ? response.statusCode : undefined;
      const outcome = outcomeOf(isWhole, response.statusCode);
      const parts = { outcome, status, code: state.problem };
      if (run.call !== undefined) run.call.finish(parts);
      else
        this.audit.refuse(rejectedEntryOf(tool, request, outcome), {
          ...parts,
          durationMs: this.clock.monotonicMs() - startedMs,
        });
    };
    response.once('finish', end);
    response.once('close', end);
  }

  /** Says that the call of a request runs. @returns false if nobody watches its answer */
  started(state: RequestState | undefined, call: AuditedCall): boolean {
    const run = state && this.#runs.get(state);
    if (run === undefined) return false;
    run.call = call;
    return true;
  }
}

function outcomeOf(isWhole: boolean, status: number): AuditOutcome {
  if (!isWhole) return 'aborted';
  if (REFUSALS.has(status)) return 'refused';
  return status >= 400 ? 'failed' : 'ok';
}
