/* The MCP server that the suite of @modelcontextprotocol/conformance expects: its tools, resources and prompts, in sessions of the SDK. */
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { Injectable } from '@nestjs/common';
import { SdkSessions } from './mcp.js';

const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const text = (value: string) => ({ type: 'text' as const, text: value });
const image = { type: 'image' as const, data: PIXEL, mimeType: 'image/png' };
const resource = {
  type: 'resource' as const,
  resource: { uri: 'test://embedded', mimeType: 'text/plain', text: 'Embedded' },
};

interface Extra {
  /** On the stream of the call: the client may not have opened the session's own stream yet. */
  readonly requestId: string | number;
  readonly _meta?: { readonly progressToken?: string | number };
  sendNotification(notification: { method: string; params: object }): Promise<void>;
}
type Tool = (server: Server, args: Record<string, unknown>, extra: Extra) => Promise<object[]> | object[];

const elicit =
  (requestedSchema: object): Tool =>
  async (server, _args, { requestId }) => {
    const result = await server.elicitInput({ message: 'Please', requestedSchema } as never, {
      relatedRequestId: requestId,
    });
    return [
      text(`Elicitation completed: action=${result.action}, content=${JSON.stringify(result.content)}`),
    ];
  };
const choices = (kind: string) =>
  [1, 2, 3].map(count => ({ const: `value${count}`, title: `${kind} ${count}` }));
const OPTIONS = ['option1', 'option2', 'option3'];

const TOOLS: Readonly<Record<string, Tool>> = {
  test_simple_text: () => [text('This is a simple text response for testing.')],
  test_image_content: () => [image],
  test_audio_content: () => [{ type: 'audio', data: 'UklGRiQAAABXQVZF', mimeType: 'audio/wav' }],
  test_embedded_resource: () => [resource],
  test_multiple_content_types: () => [text('Mixed'), image, resource],
  test_tool_with_logging: async (_server, _args, extra) => {
    for (const data of ['started', 'processing', 'completed'])
      await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data } });
    return [text('Logged')];
  },
  test_tool_with_progress: async (_server, _args, extra) => {
    const progressToken = extra._meta?.progressToken ?? 0;
    for (const progress of [0, 50, 100])
      await extra.sendNotification({
        method: 'notifications/progress',
        params: { progressToken, progress, total: 100 },
      });
    return [text('Done')];
  },
  test_error_handling: () => {
    throw new Error('This tool intentionally returns an error for testing');
  },
  test_reconnection: () => [text('Reconnection test completed successfully')],
  test_sampling: async (server, args, { requestId }) => {
    const result = await server.createMessage(
      {
        messages: [{ role: 'user', content: text(String(args['prompt'])) }],
        maxTokens: 100,
      },
      { relatedRequestId: requestId },
    );
    return [text(`LLM response: ${JSON.stringify(result.content)}`)];
  },
  test_elicitation: elicit({
    type: 'object',
    properties: { username: { type: 'string' }, email: { type: 'string' } },
    required: ['username', 'email'],
  }),
  test_elicitation_sep1034_defaults: elicit({
    type: 'object',
    properties: {
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    },
  }),
  test_elicitation_sep1330_enums: elicit({
    type: 'object',
    properties: {
      untitledSingle: { type: 'string', enum: OPTIONS },
      titledSingle: { type: 'string', oneOf: choices('Option') },
      legacyEnum: { type: 'string', enum: ['opt1', 'opt2'], enumNames: ['Option One', 'Option Two'] },
      untitledMulti: { type: 'array', items: { type: 'string', enum: OPTIONS } },
      titledMulti: { type: 'array', items: { anyOf: choices('Choice') } },
    },
  }),
  json_schema_2020_12_tool: () => [text('Valid')],
};

const SCHEMA_2020_12 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object' as const,
  $defs: {
    address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } },
  },
  properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
  additionalProperties: false,
};

const PROMPTS: Readonly<
  Record<string, { args?: string[]; content: (args: Record<string, string>) => object }>
> = {
  test_simple_prompt: { content: () => text('This is a simple prompt for testing.') },
  test_prompt_with_arguments: {
    args: ['arg1', 'arg2'],
    content: ({ arg1, arg2 }) => text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`),
  },
  test_prompt_with_embedded_resource: {
    args: ['resourceUri'],
    content: ({ resourceUri }) => ({ ...resource, resource: { ...resource.resource, uri: resourceUri } }),
  },
  test_prompt_with_image: { content: () => image },
};

function createServer(): Server {
  const capabilities = {
    tools: {},
    resources: { subscribe: true },
    prompts: {},
    logging: {},
    completions: {},
  };
  const server = new Server({ name: 'conformance', version: '1.0.0' }, { capabilities });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.keys(TOOLS).map(name => ({
      name,
      description: name,
      inputSchema: name.startsWith('json_schema') ? SCHEMA_2020_12 : { type: 'object' as const },
    })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    try {
      const content = await TOOLS[params.name]!(server, params.arguments ?? {}, extra as never);
      return { content } as never;
    } catch (error) {
      return { isError: true, content: [text((error as Error).message)] };
    }
  });
  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: ['static-text', 'static-binary', 'watched-resource'].map(name => ({
      name,
      uri: `test://${name}`,
      description: name,
      mimeType: 'text/plain',
    })),
  }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ name: 'template', uriTemplate: 'test://template/{id}/data' }],
  }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => ({
    contents: [
      uri.includes('binary')
        ? { uri, mimeType: 'image/png', blob: PIXEL }
        : { uri, mimeType: 'text/plain', text: `The content of ${uri}` },
    ],
  }));
  server.setRequestHandler(ListPromptsRequestSchema, () => ({
    prompts: Object.entries(PROMPTS).map(([name, { args = [] }]) => ({
      name,
      description: name,
      arguments: args.map(each => ({ name: each, description: each, required: true })),
    })),
  }));
  server.setRequestHandler(
    GetPromptRequestSchema,
    ({ params }) =>
      ({
        messages: [{ role: 'user', content: PROMPTS[params.name]!.content(params.arguments ?? {}) }],
      }) as never,
  );
  server.setRequestHandler(CompleteRequestSchema, () => ({ completion: { values: [], total: 0 } }));
  for (const schema of [SetLevelRequestSchema, SubscribeRequestSchema, UnsubscribeRequestSchema])
    server.setRequestHandler(schema as typeof SetLevelRequestSchema, () => ({}));
  return server;
}

@Injectable()
export class ConformanceSessions extends SdkSessions {
  protected override createServer(): Pick<McpServer, 'connect'> {
    return createServer();
  }
}
