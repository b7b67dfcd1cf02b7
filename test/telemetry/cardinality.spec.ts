/* Clients choose names of hosts, paths, methods and tools. The series of the metrics do not grow with them. */
import { BadRequestException, Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { JSON_HEADERS } from '../support/mcp.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';
import { startSdk } from './sdk.js';

interface Message {
  readonly id: number;
  readonly method: string;
  readonly params: { readonly name?: string };
}

/** A server that echoes what the client has sent wherever it can. */
@Controller()
class EchoController {
  @Post('mcp')
  @HttpCode(200)
  answer(@Body() body: Message | readonly Message[]): unknown {
    return Array.isArray(body) ? body.map(answerOne) : answerOne(body as Message);
  }

  @Get('echo/:path')
  echo(): never {
    throw new BadRequestException();
  }
}

function answerOne({ id, method, params }: Message): object {
  if (method === 'tools/list') return { jsonrpc: '2.0', id, result: { tools: [{ name: 'read_log' }] } };
  if (params.name === 'read_log' || params.name === 'delete_user') return { jsonrpc: '2.0', id, result: {} };
  if (id % 2 === 0) return { jsonrpc: '2.0', id, result: { isError: true } };
  return { jsonrpc: '2.0', id, error: { code: id % 3 === 0 ? -32_601 : id, message: params.name ?? method } };
}

const BATCHES = 40;
/** The most messages of a request. */
const BATCH = 50;

const KNOWN: Readonly<Record<string, readonly unknown[]>> = {
  result: ['ok', 'rejected'],
  code: ['host_not_allowed', 'mcp_version_unsupported', 'bad_request', 'not_found'],
  policy: ['read_*/1000000-per-minute'],
  'mcp.method.name': ['tools/list', 'tools/call', '_OTHER'],
  'gen_ai.operation.name': ['execute_tool'],
  'gen_ai.tool.name': ['delete_user', 'read_log', '_OTHER'],
  'error.type': ['-32601', '-32022', 'tool_error', '_OTHER'],
  'rpc.response.status_code': ['-32601', '-32022', '_OTHER'],
};

test.each(PLATFORMS)('%s: no attribute has a value that a client has chosen', async (_title, platform) => {
  const sdk = startSdk();
  const { send } = await start(platform, {
    controllers: [EchoController],
    options: {
      telemetry: true,
      audit: false,
      logging: false,
      mcp: {},
      rateLimit: { limits: false, flood: false },
      tools: { policies: { 'read_*': { limit: '1000000/minute' }, delete_user: {} } },
    },
  });
  const post = (body: unknown, headers = {}) =>
    send('/mcp', { body: JSON.stringify(body), headers: { ...JSON_HEADERS, ...headers } });
  const message = (method: string, name?: string, id = 1): object => ({
    jsonrpc: '2.0',
    id,
    method,
    params: { name, arguments: {} },
  });
  /** The names of a hostile client, which are not alike. */
  const nameOf = (index: number): string =>
    `x${index}${'"\\\u0000\n€'.charAt(index % 5)}${index % 7 === 0 ? 'y'.repeat(400) : ''}`;

  expect((await post(message('tools/call', 'read_log'))).status).toBe(200);
  for (let batch = 0; batch < BATCHES; batch++) {
    const messages = Array.from({ length: BATCH }, (_, index) => {
      const id = batch * BATCH + index;
      const name = nameOf(id);
      return [
        message(`no/${name}`, undefined, id),
        message('tools/call', name.slice(0, 200), id),
        message('tools/call', `read_${name}`.slice(0, 200), id),
      ][id % 3];
    });
    expect((await post(messages)).status).toBe(200);
    await post(message('tools/call', 'delete_user'), { 'MCP-Protocol-Version': `9999-${batch}` });
    await send(`/echo/x${batch}`, { headers: batch % 2 === 0 ? { Host: `h${batch}.test` } : {} });
    await send(`/x${batch}`);
  }
  // A list of the server: its tools are known from then on.
  await post(message('tools/list'));
  await post(message('tools/call', 'read_log'));

  const metrics = await sdk.collect();
  const values = new Map<string, Set<unknown>>();
  for (const { series } of metrics.values())
    for (const { attributes } of series)
      for (const [key, value] of Object.entries(attributes))
        values.set(key, (values.get(key) ?? new Set()).add(value));
  for (const [key, found] of values)
    expect([key, [...found].toSorted()]).toEqual([key, KNOWN[key]?.toSorted()]);
  const operations = metrics.get('mcp.server.operation.duration')!.series;
  expect(operations.reduce((sum, { value }) => sum + value, 0)).toBe(BATCHES * (BATCH + 1) + 3);
  expect([...metrics.values()].flatMap(({ series }) => series).length).toBeLessThan(40);
  const names = new Set(sdk.spans.map(({ name }) => name));
  expect(names).toEqual(new Set(['tools/call', 'tools/call read_log']));
});
