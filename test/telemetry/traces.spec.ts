/* Spans of tool calls, over HTTP and over MCP: their parents, their children and what they show. */
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  context,
  createNoopMeter,
  type Meter,
  metrics,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import {
  All,
  Body,
  ConflictException,
  Controller,
  type MiddlewareConsumer,
  Post,
  Req,
  Res,
} from '@nestjs/common';
import { z } from 'zod';
import { AgentTool } from '../../src/index.js';
import {
  type PlatformRequest,
  type PlatformResponse,
  rawRequest,
  rawResponse,
} from '../../src/common/http-request.js';
import { JSON_HEADERS, modern } from '../support/mcp.js';
import { PLATFORMS } from '../support/platforms.js';
import { start, startShared } from '../support/start.js';
import { Sdk, startSdk } from './sdk.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const traceparent = `00-${TRACE}-${PARENT}-01`;
const OTHER_TRACE = '0af7651916cd43dd8448eb211c80319c';
const otherParent = `00-${OTHER_TRACE}-b7ad6b7169203331-01`;

/** What a handler of the app does: a span of its own, below what is active. */
const work = async (): Promise<void> => {
  await new Promise(resolve => setImmediate(resolve));
  trace.getTracer('app').startSpan('app work').end();
};

function createServer(): McpServer {
  const server = new McpServer({ name: 'traced', version: '1.0.0' });
  const inputSchema = z.object({ path: z.string().optional(), password: z.string().optional() });
  server.registerTool('read_file', { description: 'reads', inputSchema }, async () => {
    await work();
    return { content: [{ type: 'text' as const, text: 'read' }] };
  });
  server.registerTool('fail', { description: 'fails', inputSchema }, async () => ({
    isError: true,
    content: [{ type: 'text' as const, text: 'failed' }],
  }));
  return server;
}

@Controller()
class TracedController {
  private readonly handler = toNodeHandler(createMcpHandler(createServer));

  @All('mcp')
  async mcp(@Req() request: PlatformRequest, @Res() response: PlatformResponse): Promise<void> {
    response.hijack?.();
    await this.handler(rawRequest(request) as never, rawResponse(response), request.body);
  }

  @Post('users')
  @AgentTool('create_user', { redact: ['nickname'] })
  async create(@Body() body: { fails?: boolean }): Promise<object> {
    await work();
    if (body.fails === true) throw new ConflictException();
    return { created: true };
  }
}

const OPTIONS = {
  telemetry: true,
  mcp: {},
  rateLimit: { limits: false, flood: false },
  tools: { policies: { read_file: {}, fail: {}, denied: { scopes: ['none'] } } },
} as const;

const named = (sdk: Sdk, name: string): ReadableSpan => {
  const found = sdk.spans.filter(span => span.name === name);
  expect(found).toHaveLength(1);
  return found[0]!;
};
const ofTrace = ({ parentSpanContext }: ReadableSpan): readonly (string | undefined)[] => [
  parentSpanContext?.traceId,
  parentSpanContext?.spanId,
];

const call = (name: string, meta?: unknown, args: object = {}): object => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: args, ...(meta === undefined ? undefined : { _meta: meta }) },
});

describe.each(PLATFORMS)('%s', (_title, platform) => {
  const launch = async (
    begin: typeof start,
    sdk: Sdk,
    options: object = {},
    middleware?: (consumer: MiddlewareConsumer) => void,
  ) => {
    const app = await begin(platform, {
      controllers: [TracedController],
      options: { ...OPTIONS, ...options },
      ...(middleware && { middleware }),
    });
    const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
      app.send(path, { body: JSON.stringify(body), headers: { ...JSON_HEADERS, ...headers } });
    return { sdk, post, send: app.send };
  };
  /** An app of its own, for tests that stand behind those of the shared one: the API keeps one SDK. */
  const open = (...args: [options?: object, middleware?: (consumer: MiddlewareConsumer) => void]) =>
    launch(start, startSdk(), ...args);

  let shared: Awaited<ReturnType<typeof launch>>;
  beforeAll(async () => {
    shared = await launch(startShared, new Sdk());
  });
  beforeEach(() => shared.sdk.reset());
  afterAll(() => shared.sdk.close());

  describe('a handler that is a tool', () => {
    it('has a span below the one of the headers, and the spans of the app below it', async () => {
      const { sdk, post } = shared;
      expect((await post('/users', { name: 'a' }, { traceparent })).status).toBe(201);
      const span = named(sdk, 'execute_tool create_user');
      expect([span.kind, span.status.code]).toEqual([SpanKind.INTERNAL, SpanStatusCode.UNSET]);
      expect(ofTrace(span)).toEqual([TRACE, PARENT]);
      expect(span.attributes).toEqual({
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'create_user',
      });
      expect(ofTrace(named(sdk, 'app work'))).toEqual([TRACE, span.spanContext().spanId]);
    });

    it('says that the handler has thrown', async () => {
      const { sdk, post } = shared;
      expect((await post('/users', { fails: true })).status).toBe(409);
      const { attributes, status } = named(sdk, 'execute_tool create_user');
      expect([attributes['error.type'], status.code]).toEqual(['409', SpanStatusCode.ERROR]);
    });
  });

  describe('a call over MCP', () => {
    it('has a span of the server below the one of the message, with a link to the one of the request', async () => {
      const { sdk, post } = shared;
      const answer = await post('/mcp', call('read_file', { traceparent }), { traceparent: otherParent });
      expect(answer.status).toBe(200);
      const span = named(sdk, 'tools/call read_file');
      expect([span.kind, span.status.code]).toEqual([SpanKind.SERVER, SpanStatusCode.UNSET]);
      expect(ofTrace(span)).toEqual([TRACE, PARENT]);
      expect(span.links.map(link => link.context.traceId)).toEqual([OTHER_TRACE]);
      expect(span.attributes).toEqual({
        'mcp.method.name': 'tools/call',
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'read_file',
      });
      expect(ofTrace(named(sdk, 'app work'))).toEqual([TRACE, span.spanContext().spanId]);
    });

    it('has a span below the one of the request, where the message names none', async () => {
      const { sdk, post } = shared;
      await post('/mcp', call('read_file'), { traceparent });
      const span = named(sdk, 'tools/call read_file');
      expect([ofTrace(span), span.links]).toEqual([[TRACE, PARENT], []]);
    });

    it('names the revision that both sides know', async () => {
      const { sdk, send } = shared;
      await send('/mcp', { method: 'POST', ...modern('tools/call', { name: 'read_file', arguments: {} }) });
      expect(named(sdk, 'tools/call read_file').attributes['mcp.protocol.version']).toBe('2026-07-28');
    });

    it('says that the tool has failed', async () => {
      const { sdk, post } = shared;
      await post('/mcp', call('fail'));
      const { attributes, status } = named(sdk, 'tools/call fail');
      expect([attributes['error.type'], status.code]).toEqual(['tool_error', SpanStatusCode.ERROR]);
    });

    it('has no span where it is rejected', async () => {
      const { sdk, post } = shared;
      expect((await post('/mcp', call('denied'))).status).toBe(401);
      expect(sdk.spans).toEqual([]);
    });

    const HOSTILE: readonly [title: string, meta: unknown][] = [
      ['no object', 'x'],
      ['a list', [traceparent]],
      ['a trace that is none', { traceparent: 'x'.repeat(100), tracestate: 1 }],
      ['a trace without end', { traceparent: traceparent + '0'.repeat(100_000) }],
      ['members of the prototype', { constructor: traceparent, toString: null }],
    ];
    it.each(HOSTILE)('ignores %s in _meta', async (_title, meta) => {
      const { sdk, post } = shared;
      // The server of the SDK rejects a _meta that is no object.
      expect([200, 400]).toContain((await post('/mcp', call('read_file', meta))).status);
      expect(named(sdk, 'tools/call read_file').parentSpanContext).toBeUndefined();
    });
  });

  it('puts the span of a handler below the active one, which a tracer of the app has set', async () => {
    const { sdk, post } = await open({}, consumer =>
      consumer
        .apply((_request: unknown, _response: unknown, next: () => void) => {
          const parent = propagation.extract(ROOT_CONTEXT, { traceparent: otherParent });
          const server = trace.getTracer('http').startSpan('POST /users', {}, parent);
          context.with(trace.setSpan(parent, server), next);
          server.end();
        })
        .forRoutes('users'),
    );
    await post('/users', {}, { traceparent });
    const server = named(sdk, 'POST /users');
    expect(ofTrace(named(sdk, 'execute_tool create_user'))).toEqual([
      OTHER_TRACE,
      server.spanContext().spanId,
    ]);
  });

  it('shows no arguments, unless the option says so, and then as the audit does', async () => {
    const args = { path: '/etc/hosts', password: 'hunter22' };
    const body = { name: 'a', nickname: 'b', token: 'c' };
    const shown = async (telemetry: unknown) => {
      const { sdk, post } = await open({ telemetry });
      await post('/mcp', call('read_file', undefined, args));
      await post('/users', body);
      return ['tools/call read_file', 'execute_tool create_user'].map(
        name => named(sdk, name).attributes['gen_ai.tool.call.arguments'],
      );
    };
    expect(await shown(true)).toEqual([undefined, undefined]);
    expect(await shown({ arguments: true })).toEqual([
      '{"path":"/etc/hosts","password":"[redacted]"}',
      '{"body":{"name":"a","nickname":"[redacted]","token":"[redacted]"}}',
    ]);
  });

  const tracerClass = Object.getPrototypeOf(new BasicTracerProvider().getTracer('')) as Tracer;
  const failing = (): never => {
    throw new Error('mine');
  };
  const FAULTS: readonly [what: string, plant: () => void][] = [
    ['propagator', () => jest.spyOn(propagation, 'extract').mockImplementation(failing)],
    ['context manager', () => jest.spyOn(context, 'with').mockImplementation(failing)],
    [
      'sampler',
      () => {
        const { startSpan } = tracerClass;
        jest.spyOn(tracerClass, 'startSpan').mockImplementation(function (this: Tracer, name, ...rest) {
          return name === 'app work' ? startSpan.call(this, name, ...rest) : failing();
        });
      },
    ],
    ['exporter', () => jest.spyOn(InMemorySpanExporter.prototype, 'export').mockImplementation(failing)],
    [
      'instruments',
      () => {
        const meter = createNoopMeter();
        jest.spyOn(metrics, 'getMeter').mockReturnValue({
          ...meter,
          createCounter: () => ({ add: failing }),
          createHistogram: () => ({ record: failing }),
          createObservableGauge: () => meter.createObservableGauge(''),
          createObservableCounter: () => meter.createObservableCounter(''),
          createObservableUpDownCounter: () => meter.createObservableUpDownCounter(''),
        } as unknown as Meter);
      },
    ],
  ];
  it.each(FAULTS)('serves requests while the %s of the app throws', async (_what, plant) => {
    const warnings = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const sdk = startSdk();
    plant();
    const { post } = await launch(start, sdk);
    expect((await post('/mcp', call('read_file'))).status).toBe(200);
    expect((await post('/users', {})).status).toBe(201);
    expect((await post('/mcp', call('denied'))).status).toBe(401);
    expect(warnings.mock.calls.length).toBeLessThanOrEqual(1);
  });
});
