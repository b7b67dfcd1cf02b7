/* Spans of tool calls: of handlers and over MCP. */
import {
  type Attributes,
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import type { IncomingHttpHeaders } from 'node:http';
import { isRecord } from '../common/read-options.js';
import type { Tool } from '../tools/tool.js';
import { OTHER } from './known-names.js';
import { runWithin, safely } from './safely.js';

/** W3C Trace Context asks for no more than 512 characters of `tracestate`. */
const MAX_TRACE_TEXT = 512;

const EXECUTE_TOOL = 'execute_tool';

export const toolAttributes = (name: string): Attributes => ({
  'gen_ai.operation.name': EXECUTE_TOOL,
  'gen_ai.tool.name': name,
});

export interface OpenSpan {
  /** Runs a function within the span, so that spans of the app are its children. */
  run<T>(act: () => T): T;
  /** @param error `error.type`, where the call has failed */
  end(error?: string): void;
}

export class ToolSpans {
  constructor(
    private readonly tracer: Tracer,
    /** The parameters as a span may show them; `undefined` where it shows none. */
    private readonly showParams: ((params: unknown, tool: Tool) => unknown) | undefined,
  ) {}

  /** The span of a handler, below what is active or what the headers name. */
  startHandler(name: string, tool: Tool, headers: IncomingHttpHeaders = {}, params: () => unknown): OpenSpan {
    return this.#start(EXECUTE_TOOL, name, tool, contextOf(headers), params);
  }

  /** The span of a call over MCP. Its parent is the one of the message; the one of the HTTP request becomes a link. */
  startMcp(
    name: string,
    tool: Tool,
    headers: IncomingHttpHeaders,
    params: Readonly<Record<string, unknown>> | undefined,
    version: string | undefined,
  ): OpenSpan {
    const ambient = contextOf(headers);
    const parent = propagation.extract(ambient, traceIn(params?.['_meta']));
    const link = trace.getSpanContext(ambient);
    const isOwn = link !== undefined && link !== trace.getSpanContext(parent);
    return this.#start('tools/call', name, tool, parent, () => params?.['arguments'], {
      kind: SpanKind.SERVER,
      links: isOwn ? [{ context: link }] : [],
      attributes: {
        'mcp.method.name': 'tools/call',
        ...(version === undefined ? undefined : { 'mcp.protocol.version': version }),
      },
    });
  }

  #start(
    operation: string,
    name: string,
    tool: Tool,
    parent: Context,
    params: () => unknown,
    options: {
      kind?: SpanKind;
      links?: { context: NonNullable<ReturnType<typeof trace.getSpanContext>> }[];
      attributes?: Attributes;
    } = {},
  ): OpenSpan {
    const shown = this.showParams?.(params(), tool);
    const span = this.tracer.startSpan(
      name === OTHER ? operation : `${operation} ${name}`,
      {
        ...options,
        attributes: {
          ...options.attributes,
          ...toolAttributes(name),
          ...(shown === undefined ? undefined : { 'gen_ai.tool.call.arguments': JSON.stringify(shown) }),
        },
      },
      parent,
    );
    const within = trace.setSpan(parent, span);
    const run = <T>(act: () => T): T => runWithin(go => context.with(within, go), act);
    return { run, end: safely(error => endSpan(span, error)) };
  }
}

function endSpan(span: Span, error: string | undefined): void {
  if (error !== undefined) span.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

/** The active context, where a tracer of the app has set one; else that of the headers. */
function contextOf(headers: IncomingHttpHeaders): Context {
  const active = context.active();
  return trace.getSpanContext(active) === undefined ? propagation.extract(active, headers) : active;
}

/** Of `params._meta`, the members that carry the trace (MCP, SEP-414). A client may send anything else there. */
function traceIn(meta: unknown): Record<string, string> {
  const carrier: Record<string, string> = {};
  if (!isRecord(meta)) return carrier;
  for (const name of ['traceparent', 'tracestate']) {
    const value = Object.hasOwn(meta, name) ? meta[name] : undefined;
    if (typeof value === 'string' && value.length <= MAX_TRACE_TEXT) carrier[name] = value;
  }
  return carrier;
}
