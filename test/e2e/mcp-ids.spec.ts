/* A rejection of an MCP request has the request's ID, so that the client finds the call that failed (MCP 2026-07-28, "Base Protocol"). */
import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import type { Answer } from '../support/http.js';
import { exchange } from '../support/http.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { calls, JSON_HEADERS, modern, SDK_SERVER, SESSION_SERVER } from '../support/mcp.js';
import { type Platform, PLATFORMS } from '../support/platforms.js';
import { type AppParts, start } from '../support/start.js';

type Options = NonNullable<AppParts['options']>;

const OPEN: Options = { rateLimit: { limits: false, flood: false }, mcp: {} };

const post = (method: string, id: number | string, params: object = {}): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params });

const saysOf = (answer: Answer): unknown => {
  const { id, error } = answer.json() as { id: unknown; error: { data: { code: string } } };
  return [answer.status, id, error.data.code];
};

async function startWithKeys(platform: Platform, options: Options = {}) {
  const book = new TestKeys();
  const { key } = book.add('one');
  const auth = { apiKeys: { store: book.store, secret: SECRET } };
  const app = await start(platform, { ...SDK_SERVER.parts, options: { ...OPEN, auth, ...options } });
  return { ...app, key };
}

describe.each(PLATFORMS)('the ID in a rejection of MCP on %s', (_title, platform) => {
  it('is that of a request of another revision', async () => {
    const { send } = await start(platform, { ...SDK_SERVER.parts, options: OPEN });
    const headers = { ...JSON_HEADERS, 'MCP-Protocol-Version': '1999-01-01' };
    const answer = await send('/mcp', { body: post('tools/list', 'seven'), headers });
    expect(saysOf(answer)).toEqual([400, 'seven', 'mcp_version_unsupported']);
  });

  it('is that of a request with a credential in its URL', async () => {
    const { send } = await start(platform, { ...SDK_SERVER.parts, options: OPEN });
    const answer = await send('/mcp?access_token=x', { body: post('tools/list', 7), headers: JSON_HEADERS });
    expect(saysOf(answer)).toEqual([400, 7, 'credential_in_url']);
  });

  it('is that of a request without a credential', async () => {
    const { send } = await startWithKeys(platform);
    const answer = await send('/mcp', { body: post('tools/list', 7), headers: JSON_HEADERS });
    expect(saysOf(answer)).toEqual([401, 7, 'credential_missing']);
    expect(answer.header('www-authenticate')).toBeDefined();
  });

  it('is that of a call whose headers name a tool that is not allowed', async () => {
    const { send, key } = await startWithKeys(platform, { tools: { allow: { one: ['read_*'] } } });
    const { body, headers } = modern('tools/call', { name: 'delete_user', arguments: {} }, 'eight');
    const answer = await send('/mcp', { body, headers: { ...headers, 'X-API-Key': key } });
    expect(saysOf(answer)).toEqual([403, 'eight', 'tool_not_allowed']);
    expect(calls).toEqual([]);
  });

  it('is that of a call over the limits', async () => {
    const rateLimit = { limits: '1/minute', flood: false } as const;
    const { send } = await start(platform, { ...SDK_SERVER.parts, options: { ...OPEN, rateLimit } });
    const call = (id: number) => {
      const { body, headers } = modern('tools/call', { name: 'read_file', arguments: {} }, id);
      return send('/mcp', { body, headers });
    };
    expect((await call(1)).status).toBe(200);
    expect(saysOf(await call(2))).toEqual([429, 2, 'rate_limited']);
    expect(calls).toEqual(['read_file']);
  });

  it('is that of each request of a batch', async () => {
    const { send } = await startWithKeys(platform);
    const body = `[${post('tools/list', 1)},${post('ping', 'two')}]`;
    const answer = await send('/mcp', { body, headers: JSON_HEADERS });
    expect([answer.status, answer.json()]).toMatchObject([401, [{ id: 1 }, { id: 'two' }]]);
  });

  it.each([
    ['a body that is not JSON', '{', JSON_HEADERS],
    ['a body that is no message', '[]', JSON_HEADERS],
    ['a body of another type', post('ping', 7), { ...JSON_HEADERS, 'Content-Type': 'text/plain' }],
    ['a body that is read for no answer', post('ping', 7, { filler: 'x'.repeat(70_000) }), JSON_HEADERS],
    [
      'a foreign origin, whatever the body',
      post('ping', 7),
      { ...JSON_HEADERS, Origin: 'https://evil.test' },
    ],
    ['a foreign host, whatever the body', post('ping', 7), { ...JSON_HEADERS, Host: 'evil.test' }],
  ])('is null for %s', async (_what, body, headers) => {
    const { send } = await startWithKeys(platform);
    const answer = await send('/mcp', { body, headers });
    expect(answer.json()).toMatchObject({ jsonrpc: '2.0', id: null });
  });

  it.each([
    ['waits for 100 Continue', 'Expect: 100-continue\r\n'],
    ['does not send its body', ''],
  ])('is null for a client that %s', async (_what, header) => {
    const { port } = await startWithKeys(platform);
    const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${header}Content-Length: 40\r\n\r\n`;
    const { text } = await exchange(port, head, 1);
    expect(text).toMatch(/^HTTP\/1\.1 401 /);
    expect(text).toContain('"id":null');
  });
});

@Controller()
class NewServer {
  @Post('mcp')
  @HttpCode(200)
  mcp(
    @Body() { id, method }: { id: number; method: string },
    @Res({ passthrough: true }) response: { status(code: number): unknown },
  ): unknown {
    if (method === 'server/discover')
      return { jsonrpc: '2.0', id, result: { supportedVersions: ['2026-07-28'], capabilities: {} } };
    if (method === 'tools/call') return { jsonrpc: '2.0', id, result: { supportedVersions: ['2024-11-05'] } };
    response.status(400);
    const data = { supported: ['2025-11-25', '2026-07-28', '2099-01-01'], requested: '2025-03-26' };
    return { jsonrpc: '2.0', id, error: { code: -32022, message: 'Unsupported', data } };
  }
}

describe.each(PLATFORMS)('the supported revisions in a rejection on %s', (_title, platform) => {
  const startServer = async (options: Options = {}) => {
    const { send } = await start(platform, { controllers: [NewServer], options: { ...OPEN, ...options } });
    return {
      send,
      supported: async (): Promise<unknown> => {
        const headers = { ...JSON_HEADERS, 'MCP-Protocol-Version': '1999-01-01' };
        const answer = await send('/mcp', { body: post('ping', 1), headers });
        return (answer.json() as { error: { data: { supported: unknown } } }).error.data.supported;
      },
    };
  };

  it('are those of server/discover', async () => {
    const { send, supported } = await startServer();
    expect(await supported()).toContain('2024-11-05');
    const call = modern('tools/call', { name: 'read_file', arguments: {} });
    await send('/mcp', call);
    expect(await supported()).toContain('2025-11-25');
    await send('/mcp', modern('server/discover'));
    expect(await supported()).toEqual(['2026-07-28']);
  });

  it('are those of the server’s own error, as far as the module lets them through', async () => {
    const { send, supported } = await startServer();
    await send('/mcp', { body: post('ping', 1), headers: JSON_HEADERS });
    expect(await supported()).toEqual(['2025-11-25', '2026-07-28']);
  });

  it('are those of mcp.versions', async () => {
    const { supported } = await startServer({ mcp: { versions: ['2025-06-18'] } });
    expect(await supported()).toEqual(['2025-06-18']);
  });
});

describe.each(PLATFORMS)('a rejected session on %s', (_title, platform) => {
  it('is answered with the ID of its request', async () => {
    const book = new TestKeys();
    const { key } = book.add('one');
    const auth = { apiKeys: { store: book.store, secret: SECRET } };
    const { send } = await start(platform, { ...SESSION_SERVER.parts, options: { ...OPEN, auth } });
    const headers = { ...JSON_HEADERS, 'X-API-Key': key, 'Mcp-Session-Id': 'unknown' };
    const answer = await send('/mcp', { body: post('tools/list', 9), headers });
    expect(saysOf(answer)).toEqual([404, 9, 'mcp_session_unknown']);
  });
});
