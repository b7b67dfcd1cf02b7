/* Writes the audit records of calls of handlers, from the first guard to the end of the response: a call has its record
 * even if another guard, a pipe or the handler rejects it, or the client disconnects. */
import type { AuditStart, AuditEntry, AuditOutcome } from '../audit/audit-record.js';
import type { ServerResponse } from 'node:http';
import type { ArgumentsHost } from '@nestjs/common';
import type { AuditTrail } from '../audit/audit-trail.js';
import type { Clock } from '../common/clock.js';
import { type PlatformRequest, rawRequest } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';
import { readCall, readMessageCall } from '../common/read-call.js';
import { isRecord } from '../common/read-options.js';
import type { RequestState } from '../common/request-state.js';
import {
  hasResponseEnded,
  isResponseWhole,
  readCallEnd,
  REQUEST_ENDED,
  whenResponseEnds,
} from '../common/response-end.js';
import type { Tool } from './tool.js';
import { clientAddress } from '../common/call-client.js';

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
    whenResponseEnds(response, isWhole =>
      call.end(readCallEnd(response, state.outcome.rejection?.code, isWhole)),
    );
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
      const end = readCallEnd(response, state.outcome.rejection?.code, isResponseWhole(response));
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

/** A call of a tool, as the contexts of Nest hold it. */
export interface ToolRequest {
  /** Of a gateway's message, the handshake; `undefined` for microservices. */
  readonly request: PlatformRequest | undefined;
  readonly state: RequestState | undefined;
  /** A gateway's message has none: the response of its handshake, or of a polling request, has ended long before. */
  readonly response: ServerResponse | undefined;
  readonly address: string;
  /** The parameters of the record. */
  readParams(): unknown;
}

export function readToolRequest(host: ArgumentsHost): ToolRequest {
  const type = host.getType<string>();
  const own = readCall(host);
  const call = own ?? readMessageCall(host);
  return {
    request: call?.request,
    state: call?.state,
    response: own?.state?.response,
    address: call === undefined ? '' : clientAddress(call),
    readParams: () => {
      if (own !== undefined) return type === 'graphql' ? host.getArgByIndex(1) : paramsOf(own.request);
      return type === 'ws' ? host.switchToWs().getData<unknown>() : host.switchToRpc().getData<unknown>();
    },
  };
}

function paramsOf({ params, query, body }: PlatformRequest & { params?: unknown; query?: unknown }): unknown {
  const parts = Object.entries({ path: params, query, body }).filter(
    ([, part]) => part !== undefined && part !== null && !(isRecord(part) && Object.keys(part).length === 0),
  );
  return parts.length === 0 ? undefined : Object.fromEntries(parts);
}

function auditEntryOf({ name, impact, redact }: Tool, call: ToolRequest): AuditEntry {
  const { request, state, address } = call;
  return {
    tool: name,
    impact,
    redact,
    agent: state?.agent?.id,
    params: call.readParams(),
    address,
    requestId: state?.id,
    traceparent: request && rawRequest(request).headers['traceparent'],
    verb: state?.verb,
  };
}

/** The entry of a call that was not made. What an unidentified client sent is not recorded: redaction costs time for each byte. */
function rejectedEntryOf(tool: Tool, call: ToolRequest, outcome: AuditOutcome): AuditEntry {
  const isUnknown = call.state?.agent === undefined && outcome !== 'ok';
  return auditEntryOf(tool, isUnknown ? { ...call, readParams: () => undefined } : call);
}
