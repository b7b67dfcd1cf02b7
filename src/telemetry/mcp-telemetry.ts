/* Measures the messages of MCP endpoints, and opens a span for each call of a tool that passes to the server. */
import type { Attributes } from '@opentelemetry/api';
import type { Clock } from '../common/clock.js';
import type { RequestState } from '../common/request-state.js';
import { whenResponseEnds } from '../common/response-end.js';
import { PROTOCOL_VERSIONS } from '../mcp/check-protocol.js';
import type { McpExchange, McpRejection } from '../mcp/mcp-exchange.js';
import type { McpMessage } from '../mcp/read-messages.js';
import { TOOL_ERROR } from '../mcp/response-messages.js';
import type { Tool } from '../tools/tool.js';
import type { Instruments } from './instruments.js';
import { knownMethod, knownRpcCode, OTHER } from './known-names.js';
import type { RequestProbe } from './request-probe.js';
import { safely } from './safely.js';
import { type OpenSpan, toolAttributes, type ToolSpans } from './tool-spans.js';

/** "Server error" (JSON-RPC 2.0, section 5.1), with which rejections are answered. */
const SERVER_ERROR = -32_000;

export interface ToolNames {
  /** The name for attributes. */
  nameOf(tool: string): string;
  toolOf(name: string): Tool;
}

export class McpTelemetry {
  constructor(
    private readonly instruments: Pick<Instruments, 'recordOperation'>,
    private readonly requests: RequestProbe,
    private readonly spans: ToolSpans,
    private readonly tools: ToolNames,
    private readonly clock: Clock,
  ) {}

  readonly pass = safely((exchange: McpExchange, messages: readonly McpMessage[]): void => {
    const { response, state, outcomes } = exchange;
    const opened = messages
      .filter(isReceived)
      .map(message => ({ message, span: this.#start(message, exchange) }));
    // The server handles the messages of a batch in one go: what it does belongs to none of them alone.
    if (opened.length === 1) state.runInSpan = opened[0]!.span?.run;
    whenResponseEnds(response, isWhole => {
      for (const { message, span } of opened) {
        const code = outcomes.errorOf(message.id);
        const error = isWhole ? errorOf(code, response.statusCode) : { 'error.type': 'aborted' };
        this.#record(state, message, error);
        span?.end(error['error.type']);
      }
    });
  });

  readonly reject = safely((state: RequestState, rejection: McpRejection): void => {
    const { rpcCode = SERVER_ERROR, body, unchecked = body } = rejection;
    const error = rpcError(rpcCode);
    const received = unchecked?.messages.filter(isReceived) ?? [];
    for (const message of received) this.#record(state, message, error);
    if (received.length === 0 && state.request?.method === 'POST')
      this.#record(state, { method: OTHER }, error);
  });

  #start({ tool, params }: McpMessage, { raw, headers }: McpExchange): OpenSpan | undefined {
    if (tool === undefined) return undefined;
    const version = PROTOCOL_VERSIONS.find(known => known === headers.version);
    const { nameOf, toolOf } = this.tools;
    return this.spans.startMcp(nameOf(tool), toolOf(tool), raw.headers, params, version);
  }

  #record(
    state: RequestState,
    { method, tool }: Pick<McpMessage, 'method' | 'tool'>,
    error: Attributes,
  ): void {
    const durationMs = this.clock.monotonicMs() - this.requests.startOf(state);
    this.instruments.recordOperation(durationMs / 1_000, {
      'mcp.method.name': knownMethod(method),
      ...(tool === undefined ? undefined : toolAttributes(this.tools.nameOf(tool))),
      ...error,
    });
  }
}

/** A response to a request of the server is no operation of this server. */
const isReceived = ({ kind }: McpMessage): boolean => kind !== 'response';

interface ErrorAttributes extends Attributes {
  readonly 'error.type'?: string;
}

const rpcError = (code: unknown): ErrorAttributes => {
  const known = knownRpcCode(code);
  return { 'error.type': known, 'rpc.response.status_code': known };
};

/** @param code of the error that the server has answered, or `TOOL_ERROR` */
function errorOf(code: unknown, status: number): ErrorAttributes {
  if (code === TOOL_ERROR) return { 'error.type': TOOL_ERROR };
  if (code !== undefined) return rpcError(code);
  return status >= 400 ? { 'error.type': String(status) } : {};
}
