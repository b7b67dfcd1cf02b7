/* MCP servers as their libraries' own documentation mounts them, and their own clients. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer as McpServer1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import {
  All,
  Controller,
  type INestApplication,
  Injectable,
  type OnModuleInit,
  Req,
  Res,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { McpController, McpStrategy, StreamableHttpTransport, Tool } from '@rekog/mcp-nest';
import { z } from 'zod';
import {
  type PlatformRequest,
  type PlatformResponse,
  rawRequest,
  rawResponse,
} from '../../src/common/http-request.js';
import type { AppParts } from './start.js';

/** The tools that have run since the test began, by name. */
export const calls: string[] = [];
beforeEach(() => void calls.splice(0));

const TOOLS = ['read_file', 'read_log', 'delete_user'] as const;

const answer = (tool: string, args: unknown) => {
  calls.push(tool);
  return { content: [{ type: 'text' as const, text: `${tool} ${JSON.stringify(args)}` }] };
};

const SHAPE = { path: z.string().optional() };

function createServer(): McpServer {
  const server = new McpServer({ name: 'sdk', version: '1.0.0' });
  for (const tool of TOOLS) {
    server.registerTool(tool, { description: tool, inputSchema: z.object(SHAPE) }, async args =>
      answer(tool, args),
    );
  }
  return server;
}

/** Both revisions, each request by itself, on a controller behind the framework's body parser. */
@Controller()
export class SdkController {
  private readonly handler = toNodeHandler(createMcpHandler(createServer));

  @All('mcp')
  async mcp(@Req() request: PlatformRequest, @Res() response: PlatformResponse): Promise<void> {
    response.hijack?.();
    await this.handler(rawRequest(request) as never, rawResponse(response), request.body);
  }
}

/** Sessions and streams of the revisions up to 2025-11-25, on the raw adapter, where no guard runs. */
@Injectable()
export class SdkSessions implements OnModuleInit {
  private readonly sessions = new Map<string, StreamableHTTPServerTransport>();

  constructor(private readonly host: HttpAdapterHost) {}

  onModuleInit(): void {
    const adapter = this.host.httpAdapter;
    const handle = (request: PlatformRequest, response: PlatformResponse): void => {
      response.hijack?.();
      void this.handle(rawRequest(request), rawResponse(response), request.body);
    };
    adapter.post('/mcp', handle);
    adapter.get('/mcp', handle);
    adapter.delete('/mcp', handle);
  }

  protected createServer(): Pick<McpServer1, 'connect'> {
    const server = new McpServer1({ name: 'sdk-sessions', version: '1.0.0' });
    for (const tool of TOOLS) {
      server.registerTool(tool, { description: tool, inputSchema: SHAPE }, async args => answer(tool, args));
    }
    return server;
  }

  private async handle(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
    const id = request.headers['mcp-session-id'] as string | undefined;
    let transport = id === undefined ? undefined : this.sessions.get(id);
    if (transport === undefined) {
      if (!isInitializeRequest(body)) {
        response.writeHead(id === undefined ? 400 : 404).end();
        return;
      }
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: session => void this.sessions.set(session, transport!),
        onsessionclosed: session => void this.sessions.delete(session),
      });
      await this.createServer().connect(transport as never);
    }
    await transport.handleRequest(request, response, body);
  }
}

@McpController()
class NestTools {
  @Tool({ name: 'read_file', description: 'read_file', parameters: z.object(SHAPE) })
  readFile(@Payload() args: unknown) {
    return answer('read_file', args);
  }

  @Tool({ name: 'read_log', description: 'read_log', parameters: z.object(SHAPE) })
  readLog(@Payload() args: unknown) {
    return answer('read_log', args);
  }

  @Tool({ name: 'delete_user', description: 'delete_user', parameters: z.object(SHAPE) })
  deleteUser(@Payload() args: unknown) {
    return answer('delete_user', args);
  }
}

const withStrategy =
  (statefulMode: boolean) =>
  async (app: INestApplication): Promise<void> => {
    const strategy = new McpStrategy({
      name: 'mcp-nest',
      version: '1.0.0',
      transports: [new StreamableHttpTransport({ statefulMode })],
      logging: false,
    });
    strategy.setHttpAdapter(app.getHttpAdapter());
    app.connectMicroservice({ strategy });
    await app.startAllMicroservices();
  };

export interface McpServerKind {
  readonly parts: AppParts;
  /** The revisions that it speaks. */
  readonly revisions: readonly Revision[];
}

export type Revision = '2025-11-25' | '2026-07-28';

const BOTH: readonly Revision[] = ['2025-11-25', '2026-07-28'];

/** `describe.each(MCP_SERVERS)('%s', (_title, server) => …)` */
export const MCP_SERVERS: readonly (readonly [title: string, server: McpServerKind])[] = [
  ['the SDK on a controller', { parts: { controllers: [SdkController] }, revisions: BOTH }],
  [
    'the SDK with sessions on the adapter',
    { parts: { providers: [SdkSessions] }, revisions: ['2025-11-25'] },
  ],
  [
    '@rekog/mcp-nest',
    { parts: { controllers: [NestTools], configure: withStrategy(false) }, revisions: BOTH },
  ],
  [
    '@rekog/mcp-nest with sessions',
    { parts: { controllers: [NestTools], configure: withStrategy(true) }, revisions: BOTH },
  ],
];

export const SDK_SERVER = MCP_SERVERS[0]![1];
export const SESSION_SERVER = MCP_SERVERS[1]![1];

export interface McpClient {
  listTools(): Promise<string[]>;
  callTool(name: string, args?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

const open: McpClient[] = [];
afterEach(async () => {
  for (const client of open.splice(0)) await client.close();
});

export interface ClientOptions {
  readonly headers?: Record<string, string>;
  readonly revision: Revision;
}

/** The SDK's client of a revision, connected: 1.x for the older, 2.x for the newer. */
export async function connectClient(
  port: number,
  { headers = {}, revision }: ClientOptions,
): Promise<McpClient> {
  const url = new URL(`http://127.0.0.1:${port}/mcp`);
  const info = { name: 'test', version: '1.0.0' };
  const client =
    revision === '2025-11-25'
      ? new Client1(info)
      : new Client2(info, { versionNegotiation: { mode: { pin: revision } } });
  const transport =
    revision === '2025-11-25'
      ? new Transport1(url, { requestInit: { headers } })
      : new Transport2(url, { requestInit: { headers } });
  await client.connect(transport as never);
  const mcp: McpClient = {
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
    callTool: async (name, args = {}) => {
      const { content } = (await client.callTool({ name, arguments: args })) as {
        content: { text: string }[];
      };
      return content[0]!.text;
    },
    close: () => client.close(),
  };
  open.push(mcp);
  return mcp;
}

const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** A message of revision 2026-07-28 with the headers that go with it. */
export function modern(
  method: string,
  params: Record<string, unknown> = {},
  id: number | string = 1,
): { body: string; headers: Record<string, string> } {
  const name = params['name'] ?? params['uri'];
  return {
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: MODERN_META } }),
    headers: {
      ...JSON_HEADERS,
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': method,
      ...(typeof name === 'string' ? { 'Mcp-Name': name } : {}),
    },
  };
}

export const JSON_HEADERS = {
  'Content-Type': 'application/json',
  Accept: 'application/json, text/event-stream',
};
