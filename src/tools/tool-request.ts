/* Reads a call of a tool from the contexts of Nest. */
import type { ServerResponse } from 'node:http';
import type { ArgumentsHost } from '@nestjs/common';
import type { AuditOutcome, AuditEntry } from '../audit/audit-record.js';
import { type PlatformRequest, rawRequest } from '../common/http-request.js';
import { isRecord } from '../common/read-options.js';
import type { RequestState } from '../common/request-state.js';
import { clientAddress, readCall, readMessageCall } from '../common/read-call.js';
import type { Tool } from './tool.js';
import type { ToolCall } from './tool-decision.js';

type ParsedRequest = PlatformRequest & { params?: unknown; query?: unknown };

export interface ToolRequest {
  /** Of a gateway's message, the handshake; `undefined` for microservices. */
  readonly request: ParsedRequest | undefined;
  readonly state: RequestState | undefined;
  /** A gateway's message has none: the response of its handshake, or of a polling request, has ended long before. */
  readonly response: ServerResponse | undefined;
  readonly address: string;
  /** The parameters of the record. */
  readParams(): unknown;
}

export function readToolRequest(host: ArgumentsHost): ToolRequest {
  const call = readCall(host);
  const type = host.getType<string>();
  if (call === undefined) {
    const readParams = (): unknown =>
      type === 'ws' ? host.switchToWs().getData<unknown>() : host.switchToRpc().getData<unknown>();
    const handshake = readMessageCall(host);
    const address = handshake === undefined ? '' : clientAddress(handshake);
    return { request: handshake?.request, state: handshake?.state, response: undefined, address, readParams };
  }
  const request = call.request as ParsedRequest;
  return {
    request,
    state: call.state,
    response: call.state?.response,
    address: clientAddress(call),
    readParams: () => (type === 'graphql' ? host.getArgByIndex<unknown>(1) : paramsOf(request)),
  };
}

export function toolCallOf(tool: Tool, { state, address }: ToolRequest): ToolCall {
  return { tool: tool.name, agent: state?.agent, address, requestId: state?.id };
}

export function auditEntryOf(tool: Tool, call: ToolRequest): AuditEntry {
  const { request, state, address } = call;
  return {
    tool: tool.name,
    impact: tool.impact,
    redact: tool.redact,
    agent: state?.agent?.id,
    params: call.readParams(),
    address,
    requestId: state?.id,
    traceparent: request && rawRequest(request).headers['traceparent'],
    verb: state?.verb,
  };
}

/** The entry of a call that was not made. What an unidentified client sent is not recorded: redaction costs time for each byte. */
export function rejectedEntryOf(tool: Tool, call: ToolRequest, outcome: AuditOutcome): AuditEntry {
  const isUnknown = call.state?.agent === undefined && outcome !== 'ok';
  return auditEntryOf(tool, isUnknown ? { ...call, readParams: () => undefined } : call);
}

function paramsOf({ params, query, body }: ParsedRequest): unknown {
  const parts = Object.entries({ path: params, query, body }).filter(
    ([, part]) => part !== undefined && part !== null && !(isRecord(part) && Object.keys(part).length === 0),
  );
  return parts.length === 0 ? undefined : Object.fromEntries(parts);
}
