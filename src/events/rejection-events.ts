/* Emits `request.rejected`. `writeHead` of every response calls it (http/response-headers.ts), so that no rejection needs a call of its
 * own; `RequestState.reject()` names the reason, and reports messages and handshakes, which have no response. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../common/clock.js';
import { requestPath } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import type { SecurityEvents } from './security-events.js';
import { codeOfStatus } from '../common/status-code.js';

export class RejectionEvents {
  constructor(
    private readonly events: SecurityEvents,
    private readonly clock: Clock,
  ) {}

  /** @param status of the response; an exception filter of the app may have changed it */
  readonly report = (state: RequestState, status: number): void => {
    const fields = state.outcome.rejection ?? { status, code: codeOfStatus(status) };
    this.emit(fields, {
      address: state.client.address || undefined,
      agent: state.agent?.id,
      requestId: state.id || undefined,
      method: state.request?.method,
      path: pathOf(state.request),
    });
  };

  /** For bytes that are no request: there is no more than the address of the connection. */
  emit({ status, code, cause, detail, members }: ProblemFields, request: RejectedRequest): void {
    const policies = members?.['violated-policies'] as readonly string[] | undefined;
    this.events.emit({
      type: 'request.rejected',
      timeMs: this.clock.epochMs(),
      status,
      code,
      reason: cause?.reason ?? detail,
      received: cause?.received,
      remedy: cause?.remedy,
      // A copy: a problem can answer several requests, and a listener could change the list.
      policies: policies && [...policies],
      ...request,
    });
  }
}

/** Express cuts the path of a mounted handler off `url`. */
function pathOf(request: (IncomingMessage & { originalUrl?: string }) | undefined): string | undefined {
  const target = request?.originalUrl ?? request?.url;
  return target === undefined ? undefined : requestPath(target);
}

interface RejectedRequest {
  readonly requestId?: string | undefined;
  readonly address?: string | undefined;
  readonly agent?: string | undefined;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
}
