/* Which agent may call which tool over MCP, and the audit records of calls. */
import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { Controller, Get, Post } from '@nestjs/common';
import {
  type AuditLine,
  type AuditRecord,
  type AuditSink,
  PrivateNetworkOnly,
  signProxyRequest,
} from '../../src/index.js';
import type { Answer } from '../support/http.js';
import { SECRET, TestKeys } from '../support/keys.js';
import {
  calls,
  connectClient,
  JSON_HEADERS,
  MCP_SERVERS,
  type McpServerKind,
  modern,
  SDK_SERVER,
  SESSION_SERVER,
} from '../support/mcp.js';
import { type Platform, PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

class MemorySink implements AuditSink {
  readonly name = 'memory';
  readonly records: AuditRecord[] = [];
  isFailing = false;

  async write(lines: readonly AuditLine[]): Promise<void> {
    if (this.isFailing) throw new Error('full');
    this.records.push(...lines.map(({ record }) => record));
  }
}

interface Secured extends RunningApp {
  readonly keys: { readonly reader: string; readonly admin: string; readonly other: string };
  readonly sink: MemorySink;
}

const TOOLS = {
  allow: { reader: ['read_*'], admin: ['*'] },
  policies: {
    delete_user: { scopes: ['users:delete'], impact: 'high', redact: ['nickname'] },
    read_log: { limit: '2/minute' },
  },
} as const;

async function startSecured(
  platform: Platform,
  server: McpServerKind,
  options: AppParts['options'] = {},
): Promise<Secured> {
  const book = new TestKeys();
  const reader = book.add('reader', { scopes: ['users:delete'] }).key;
  const admin = book.add('admin', { scopes: ['users:delete'] }).key;
  const other = book.add('other-1', { scopes: ['users:delete'] }).key;
  const sink = new MemorySink();
  const running = await start(platform, {
    ...server.parts,
    options: {
      rateLimit: { limits: false, flood: false },
      mcp: {},
      auth: {
        apiKeys: { store: book.store, secret: SECRET },
        resourceMetadata: 'https://api.example.com/.well-known/oauth-protected-resource/mcp',
      },
      tools: TOOLS,
      audit: { sinks: [sink] },
      ...options,
    } as NonNullable<AppParts['options']>,
  });
  return { ...running, keys: { reader, admin, other }, sink };
}

const bearer = (key: string): Record<string, string> => ({ ...JSON_HEADERS, Authorization: `Bearer ${key}` });
const call = (name: string, args: object = {}, id: number | string = 1): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } });
const codeOf = (answer: Answer): string =>
  (answer.json() as { error: { data: { code: string } } }).error.data.code;

describe.each(PLATFORMS)('the policy of MCP on %s', (_platform, platform) => {
  describe.each(MCP_SERVERS)('with %s', (_server, server) => {
    describe.each(server.revisions.map(revision => [revision] as const))(
      'and a client of revision %s',
      revision => {
        it('serves each agent its own tools, and rejects the others', async () => {
          const { port, keys } = await startSecured(platform, server);
          const reader = await connectClient(port, {
            revision,
            headers: { Authorization: `Bearer ${keys.reader}` },
          });
          const admin = await connectClient(port, { revision, headers: { 'X-API-Key': keys.admin } });
          expect(await reader.listTools()).toEqual(['read_file', 'read_log']);
          expect(await admin.listTools()).toEqual(['read_file', 'read_log', 'delete_user']);
          expect(await reader.callTool('read_file')).toBe('read_file {}');
          await expect(reader.callTool('delete_user')).rejects.toThrow(/tool_not_allowed/);
          expect(await admin.callTool('delete_user')).toBe('delete_user {}');
          expect(calls).toEqual(['read_file', 'delete_user']);
        });

        it('gives no tool to an agent that no entry names', async () => {
          const { port, keys } = await startSecured(platform, server);
          const other = await connectClient(port, { revision, headers: { 'X-API-Key': keys.other } });
          expect(await other.listTools()).toEqual([]);
          await expect(other.callTool('read_file')).rejects.toThrow(/tool_not_allowed/);
          expect(calls).toEqual([]);
        });

        it('holds a tool to its quota', async () => {
          const { port, keys, clock } = await startSecured(platform, server);
          const client = await connectClient(port, {
            revision,
            headers: { Authorization: `Bearer ${keys.reader}` },
          });
          await client.callTool('read_log');
          await client.callTool('read_log');
          await expect(client.callTool('read_log')).rejects.toThrow(/rate_limited/);
          expect(await client.callTool('read_file')).toBe('read_file {}');
          clock.advance(60_000);
          await client.callTool('read_log');
          expect(calls).toHaveLength(4);
        });

        it('rejects requests without a credential', async () => {
          const { port } = await startSecured(platform, server);
          await expect(connectClient(port, { revision })).rejects.toThrow();
          await expect(
            connectClient(port, { revision, headers: { Authorization: 'Bearer ask_x' } }),
          ).rejects.toThrow();
          expect(calls).toEqual([]);
        });
      },
    );
  });

  const post = (app: Secured, body: string, headers: Record<string, string>): Promise<Answer> =>
    app.send('/mcp', { body, headers });

  it('challenges with the metadata of the resource', async () => {
    const app = await startSecured(platform, SESSION_SERVER);
    for (const method of ['GET', 'DELETE', 'POST']) {
      const answer = await app.send('/mcp', {
        method,
        ...(method === 'POST' ? { headers: JSON_HEADERS, body: call('read_file') } : {}),
      });
      expect([answer.status, codeOf(answer)]).toEqual([401, 'credential_missing']);
      expect(answer.header('www-authenticate')).toMatch(
        /^Bearer .*resource_metadata="https:\/\/api\.example\.com\/\.well-known\/oauth-protected-resource\/mcp"/,
      );
    }
    const bad = await post(app, call('read_file'), bearer('ask_nonsense'));
    expect([bad.status, bad.header('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('error="invalid_token"'),
    ]);
  });

  it('rejects by the headers before the body is read', async () => {
    const app = await startSecured(platform, SDK_SERVER);
    const { headers } = modern('tools/call', { name: 'delete_user' });
    // A body of which nothing ever comes: the answer cannot have waited for it.
    const answer = await app
      .send('/mcp', {
        method: 'POST',
        headers: { ...headers, ...bearer(app.keys.reader), 'Content-Length': '100' },
        headersOnly: true,
      })
      .catch(error => error as Error);
    expect(answer).toMatchObject({ status: 403 });
  });

  it('rejects a batch for one of its calls, and runs none', async () => {
    const app = await startSecured(platform, SESSION_SERVER);
    const batch = `[${call('read_file', {}, 1)},${call('delete_user', {}, 2)}]`;
    const answer = await post(app, batch, bearer(app.keys.reader));
    expect(answer.status).toBe(403);
    expect(answer.json()).toMatchObject([
      { id: 1, error: { data: { code: 'tool_not_allowed' } } },
      { id: 2, error: { data: { code: 'tool_not_allowed' } } },
    ]);
    expect(calls).toEqual([]);
  });

  it('consumes no quota for a rejected batch', async () => {
    const app = await startSecured(platform, SESSION_SERVER);
    const batch = `[${call('read_log', {}, 1)},${call('delete_user', {}, 2)}]`;
    for (let count = 0; count < 2; count++)
      expect((await post(app, batch, bearer(app.keys.reader))).status).toBe(403);
    const client = await connectClient(app.port, {
      revision: '2025-11-25',
      headers: { Authorization: `Bearer ${app.keys.reader}` },
    });
    await client.callTool('read_log');
    expect(await client.callTool('read_log')).toBe('read_log {}');
  });

  it('rejects a call that is a notification', async () => {
    const app = await startSecured(platform, SESSION_SERVER);
    const silent = JSON.stringify({ jsonrpc: '2.0', method: 'tools/call', params: { name: 'delete_user' } });
    const answer = await post(app, silent, bearer(app.keys.reader));
    expect([answer.status, answer.json()]).toMatchObject([403, { id: null }]);
  });

  it('writes audit records of calls and rejections', async () => {
    const app = await startSecured(platform, SDK_SERVER);
    const served = modern('tools/call', { name: 'delete_user', arguments: { path: '/x', nickname: 'jo' } });
    await post(app, served.body, { ...served.headers, ...bearer(app.keys.admin), 'X-Request-ID': 'one' });
    const failing = modern('tools/call', { name: 'delete_user', arguments: { path: 7 } }, 'two');
    await post(app, failing.body, { ...failing.headers, ...bearer(app.keys.admin) });
    await post(app, served.body, { ...served.headers, ...bearer(app.keys.reader) });
    await post(app, served.body, { ...served.headers, Origin: 'https://evil.test' });
    await app.close();
    expect(app.sink.records).toMatchObject([
      {
        event: 'started',
        tool: 'delete_user',
        impact: 'high',
        agent: 'admin',
        requestId: 'one',
        address: '127.0.0.1',
        params: { path: '/x' },
      },
      { event: 'finished', tool: 'delete_user', outcome: 'ok', status: 200 },
      { event: 'started', tool: 'delete_user' },
      { event: 'finished', outcome: 'failed', status: 200 },
      { event: 'rejected', tool: 'delete_user', agent: 'reader', status: 403, code: 'tool_not_allowed' },
      { event: 'rejections', outcome: 'rejected', status: 403, code: 'origin_not_allowed', count: 1 },
    ]);
    expect(JSON.stringify(app.sink.records)).not.toContain('"jo"');
    expect(calls).toEqual(['delete_user']);
  });

  it('makes no call of high impact without its audit record', async () => {
    const app = await startSecured(platform, SDK_SERVER);
    app.sink.isFailing = true;
    const { body, headers } = modern('tools/call', { name: 'delete_user', arguments: {} });
    const answer = await post(app, body, { ...headers, ...bearer(app.keys.admin) });
    expect([answer.status, codeOf(answer), answer.header('retry-after')]).toEqual([
      503,
      'audit_unavailable',
      '1',
    ]);
    expect(calls).toEqual([]);
    // To close the app would wait for it.
    app.sink.isFailing = false;
  });

  it('shows and runs public tools without a credential', async () => {
    const app = await startSecured(platform, SESSION_SERVER, {
      mcp: { publicTools: ['read_*'] },
      tools: { ...TOOLS, allow: { ...TOOLS.allow, '*': ['read_*'] }, requireAgent: false },
    } as AppParts['options']);
    const client = await connectClient(app.port, { revision: '2025-11-25' });
    expect(await client.listTools()).toEqual(['read_file', 'read_log']);
    expect(await client.callTool('read_file')).toBe('read_file {}');
    await expect(client.callTool('delete_user')).rejects.toThrow(/credential_missing/);
    const other = await post(app, '{"jsonrpc":"2.0","id":1,"method":"resources/list"}', JSON_HEADERS);
    expect([other.status, codeOf(other)]).toEqual([401, 'credential_missing']);
    const bad = await post(app, call('read_file'), bearer('ask_nonsense'));
    expect(bad.status).toBe(401);
  });

  it('counts agents apart', async () => {
    const app = await startSecured(platform, SESSION_SERVER, {
      rateLimit: { limits: '2/minute', flood: false },
    });
    const read = '{"jsonrpc":"2.0","id":1,"method":"prompts/get"}';
    for (let count = 0; count < 2; count++) await post(app, read, bearer(app.keys.reader));
    expect((await post(app, read, bearer(app.keys.reader))).status).toBe(429);
    expect((await post(app, read, bearer(app.keys.admin))).status).not.toBe(429);
  });
});

const secret = 'a secret that the proxy knows, and we';

describe.each(PLATFORMS)('the network of MCP on %s', (_platform, platform) => {
  const parts = (options: AppParts['options']): AppParts => ({
    ...SDK_SERVER.parts,
    options: { rateLimit: { limits: false, flood: false }, ...options },
  });

  it('requires a proxy proof, which is valid for one request', async () => {
    const { send, clock } = await start(platform, parts({ mcp: { proxyProof: { secrets: [secret] } } }));
    const { body, headers } = modern('tools/list');
    const sign = (overrides: Partial<Parameters<typeof signProxyRequest>[1]> = {}, with_ = secret): string =>
      signProxyRequest(
        with_,
        { method: 'POST', target: '/mcp', body: Buffer.from(body), ...overrides },
        { nowMs: clock.epochMs() },
      );
    const statusWith = async (proof: string | undefined, path = '/mcp'): Promise<number> =>
      (await send(path, { body, headers: { ...headers, ...(proof ? { 'X-Proxy-Signature': proof } : {}) } }))
        .status;
    const proof = sign();
    expect(await statusWith(proof)).toBe(200);
    expect(await statusWith(proof)).toBe(403);
    expect(await statusWith(undefined)).toBe(403);
    expect(await statusWith('t=1,n=x,v1=y')).toBe(403);
    expect(await statusWith(sign({}, 'another secret that is not configured'))).toBe(403);
    expect(await statusWith(sign({ method: 'GET' }))).toBe(403);
    expect(await statusWith(sign({ target: '/mcp?x' }))).toBe(403);
    expect(await statusWith(sign({ body: Buffer.from('{}') }))).toBe(403);
    const old = sign();
    clock.advance(61_000);
    expect(await statusWith(old)).toBe(403);
    expect(await statusWith(sign())).toBe(200);
  });

  it('rejects a proof again whose body is held back until the proof has expired', async () => {
    const { port, send, clock } = await start(
      platform,
      parts({ mcp: { proxyProof: { secrets: [secret] } } }),
    );
    const { body, headers } = modern('tools/list');
    const sign = (): Record<string, string> => ({
      ...headers,
      'X-Proxy-Signature': signProxyRequest(
        secret,
        { method: 'POST', target: '/mcp', body: Buffer.from(body) },
        { nowMs: clock.epochMs() },
      ),
    });
    const captured = sign();
    expect((await send('/mcp', { body, headers: captured })).status).toBe(200);
    // Still fresh: the head of the copy is accepted, and the server waits for its body.
    clock.advance(60_000);
    const copy = httpRequest({
      port,
      host: '127.0.0.1',
      path: '/mcp',
      method: 'POST',
      headers: { ...captured, 'Content-Length': Buffer.byteLength(body), Expect: '100-continue' },
    });
    const answered = once(copy, 'response') as Promise<[IncomingMessage]>;
    copy.flushHeaders();
    await once(copy, 'continue');
    clock.advance(1_000);
    // The nonces that have expired are dropped with this one.
    expect((await send('/mcp', { body, headers: sign() })).status).toBe(200);
    copy.end(body);
    const [answer] = await answered;
    answer.resume();
    expect(answer.statusCode).toBe(403);
  });

  it.each([
    ['loopback', '203.0.113.7', 403],
    ['loopback', '10.1.2.3', 403],
    ['loopback', '127.0.0.1', 200],
    ['private', '203.0.113.7', 403],
    ['private', '10.1.2.3', 200],
    ['private', 'fd00::1', 200],
    ['any', '203.0.113.7', 200],
  ] as const)('%s, called from %s: %s', async (network, address, status) => {
    const { send } = await start(platform, parts({ mcp: { network }, trustProxy: 'loopback' }));
    const { body, headers } = modern('tools/list');
    expect((await send('/mcp', { body, headers: { ...headers, 'X-Forwarded-For': address } })).status).toBe(
      status,
    );
    // The forwarded header of an untrusted peer is not used, and the peer's own address is not the client's then.
    const { send: direct } = await start(platform, parts({ mcp: { network } }));
    const forwarded = { ...headers, 'X-Forwarded-For': address };
    expect((await direct('/mcp', { body, headers: forwarded })).status).toBe(network === 'any' ? 200 : 403);
    expect((await direct('/mcp', { body, headers })).status).toBe(200);
  });

  it('does not start on every address where network is loopback', async () => {
    const { createApp } = await import('../support/start.js');
    const { CapturingLogger } = await import('../support/logger.js');
    const { ManualClock } = await import('../support/clock.js');
    const listen = async (host: string, network: 'loopback' | 'private'): Promise<unknown> => {
      const app = await createApp(
        platform,
        parts({ mcp: { network } }),
        new CapturingLogger(),
        new ManualClock(),
      );
      try {
        await app.listen(0, host);
        return 'listens';
      } catch (error) {
        return error;
      } finally {
        await app.close();
      }
    };
    expect(await listen('0.0.0.0', 'loopback')).toMatchObject({
      code: 'ASEC_MCP_NETWORK',
      option: 'mcp.network',
    });
    expect(await listen('127.0.0.1', 'loopback')).toBe('listens');
    expect(await listen('0.0.0.0', 'private')).toBe('listens');
  });

  it('@PrivateNetworkOnly() serves private networks alone', async () => {
    @Controller('internal')
    @PrivateNetworkOnly()
    class InternalController {
      @Get()
      get(): string {
        return 'inside';
      }
      @Post()
      post(): string {
        return 'inside';
      }
    }
    const { send } = await start(platform, {
      controllers: [InternalController],
      options: { trustProxy: 'loopback' },
    });
    const from = async (address: string) =>
      (await send('/internal', { headers: { 'X-Forwarded-For': address } })).status;
    expect([
      await from('192.168.1.1'),
      await from('::1'),
      await from('8.8.8.8'),
      await from('100.64.0.1'),
    ]).toEqual([200, 200, 403, 403]);
    const rejected = await send('/internal', { headers: { 'X-Forwarded-For': '8.8.8.8' } });
    expect(rejected.json()).toMatchObject({ code: 'network_not_allowed', status: 403 });

    const { send: unnamed } = await start(platform, { controllers: [InternalController] });
    expect((await unnamed('/internal')).status).toBe(200);
    for (const name of ['X-Forwarded-For', 'X-Real-IP', 'Via', 'Forwarded']) {
      expect((await unnamed('/internal', { headers: { [name]: '203.0.113.7' } })).status).toBe(403);
    }
  });

  it('narrows the hosts', async () => {
    const { send } = await start(
      platform,
      parts({ hosts: ['localhost', 'mcp.example.com'], mcp: { hosts: ['mcp.example.com'] } }),
    );
    const { body, headers } = modern('tools/list');
    expect((await send('/mcp', { body, headers: { ...headers, Host: 'mcp.example.com' } })).status).toBe(200);
    expect((await send('/mcp', { body, headers: { ...headers, Host: 'localhost' } })).status).toBe(421);
  });
});
