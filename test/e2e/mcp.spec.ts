import { connect } from 'node:net';
import { All, Controller, Req } from '@nestjs/common';
import { loadCases } from '../fixtures/load-cases.js';
import { type Answer, exchange } from '../support/http.js';
import {
  calls,
  connectClient,
  JSON_HEADERS,
  MCP_SERVERS,
  modern,
  SDK_SERVER,
  SESSION_SERVER,
} from '../support/mcp.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start, startShared } from '../support/start.js';

const OFF = { limits: false, flood: false } as const;
const withMcp = (parts: AppParts, options: AppParts['options'] = {}): AppParts => ({
  ...parts,
  options: { rateLimit: OFF, mcp: {}, ...options },
});

const call = (tool: string, id: number | string = 1): object => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: tool, arguments: {} },
});
const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };

/** The JSON-RPC error of a rejection. */
const errorOf = (answer: Answer): { code: number; data: { code: string; requestId: string } } => {
  expect(answer.header('content-type')).toBe('application/json');
  return (answer.json() as { error: { code: number; data: { code: string; requestId: string } } }).error;
};

describe.each(PLATFORMS)('MCP on %s', (_platform, platform) => {
  describe.each(MCP_SERVERS)('%s', (_server, server) => {
    it.each(server.revisions)('serves the SDK’s client of revision %s', async revision => {
      const { port } = await start(platform, withMcp(server.parts));
      const client = await connectClient(port, { revision });
      expect(await client.listTools()).toEqual(['read_file', 'read_log', 'delete_user']);
      expect(await client.callTool('read_file', { path: 'ünïcode €' })).toBe(
        'read_file {"path":"ünïcode €"}',
      );
      expect(calls).toEqual(['read_file']);
    });

    describe('rejects', () => {
      let app: RunningApp;
      beforeAll(async () => {
        app = await startShared(platform, withMcp(server.parts, { mcp: { maxBytes: '64kb' } }));
      });
      const post = (body: string, headers: Record<string, string> = {}) =>
        app.send('/mcp', { body, headers: { ...JSON_HEADERS, ...headers } });

      it.each(['POST', 'GET', 'DELETE', 'OPTIONS'])('a foreign Origin on %s', async method => {
        const answer = await app.send('/mcp', {
          method,
          headers: { ...JSON_HEADERS, Origin: 'https://evil.test' },
          ...(method === 'POST' ? { body: JSON.stringify(list) } : {}),
        });
        expect(answer.status).toBe(403);
        expect(errorOf(answer).data.code).toBe('origin_not_allowed');
        expect(answer.header('access-control-allow-origin')).toBeUndefined();
      });

      it.each(['null', 'http://127.0.0.1:1', 'https://127.0.0.1.evil.test'])(
        'Origin: %s on GET',
        async origin => {
          expect((await app.send('/mcp', { headers: { Origin: origin } })).status).toBe(403);
        },
      );

      it('a foreign page that sends no Origin', async () => {
        expect((await app.send('/mcp', { headers: { 'Sec-Fetch-Site': 'cross-site' } })).status).toBe(403);
      });

      it('a page whose Origin is null, unless the browser says that it is of the app', async () => {
        const sent = (site: string) =>
          post(JSON.stringify(list), { Origin: 'null', 'Sec-Fetch-Site': site }).then(({ status }) => status);
        expect(await sent('cross-site')).toBe(403);
        expect(await sent('same-origin')).not.toBe(403);
      });

      it('a foreign host', async () => {
        const answer = await post(JSON.stringify(list), { Host: 'evil.test' });
        expect([answer.status, errorOf(answer).data.code]).toEqual([421, 'host_not_allowed']);
      });

      const METHODS = ['PUT', 'PATCH', 'HEAD', 'PROPFIND'];
      it.each(METHODS)('%s', async method => {
        const answer = await app.send('/mcp', { method });
        expect([answer.status, answer.header('allow')]).toEqual([405, 'GET, POST, DELETE']);
      });

      const BODIES: readonly [title: string, body: string, status: number, code: number][] = [
        ['no JSON', '{"jsonrpc"', 400, -32700],
        ['a byte order mark', `\uFEFF${JSON.stringify(list)}`, 400, -32700],
        ['no message', '{}', 400, -32600],
        ['JSON-RPC 1', '{"method":"ping","params":[],"id":1}', 400, -32600],
        [
          'two methods',
          '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"delete_user"}}',
          400,
          -32600,
        ],
        [
          'two methods, one of them escaped',
          '{"jsonrpc":"2.0","id":1,"method":"ping","m\\u0065thod":"tools/call","params":{"name":"delete_user"}}',
          400,
          -32600,
        ],
        [
          'two names',
          '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","name":"delete_user"}}',
          400,
          -32600,
        ],
        [
          'a prototype',
          '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","__proto__":{}}}',
          400,
          -32600,
        ],
        ['a call without a name', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}', 400, -32602],
        ['a request that is an answer', '{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}', 400, -32600],
        [
          'params in a list',
          '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["delete_user"]}',
          400,
          -32600,
        ],
        ['an invalid ID', '{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600],
        ['an empty batch', '[]', 400, -32600],
        ['a batch with an invalid message', JSON.stringify([list, {}]), 400, -32600],
        ['a batch in a batch', JSON.stringify([[list]]), 400, -32600],
        ['one ID twice', JSON.stringify([list, list]), 400, -32600],
        [
          'too deep a body',
          `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'['.repeat(80)}${']'.repeat(80)}}}`,
          400,
          -32600,
        ],
        ['too long a body', JSON.stringify({ ...list, params: { a: 'x'.repeat(66_000) } }), 413, -32000],
      ];
      it.each(BODIES)('%s', async (_title, body, status, code) => {
        const answer = await post(body);
        expect([answer.status, errorOf(answer).code]).toEqual([status, code]);
        expect(answer.header('x-request-id')).toBe(errorOf(answer).data.requestId);
        expect(calls).toEqual([]);
      });

      it('too long a chunked body', async () => {
        const parts = [
          JSON.stringify(list).slice(0, -1),
          ',"params":{"a":"',
          'x'.repeat(40_000),
          'x'.repeat(40_000),
          '"}}',
        ];
        const answer = await app.send('/mcp', { body: parts, headers: JSON_HEADERS });
        expect([answer.status, errorOf(answer).data.code]).toEqual([413, 'body_too_large']);
      });

      it('bytes that are no UTF-8', async () => {
        const body = Buffer.from(JSON.stringify(call('read_file')).replace('read', 'r\u00ffad'), 'latin1');
        const answer = await app.send('/mcp', { body, headers: JSON_HEADERS });
        expect([answer.status, errorOf(answer).code]).toEqual([400, -32700]);
      });

      const TYPES: readonly [title: string, headers: Record<string, string>][] = [
        ['text', { 'Content-Type': 'text/plain' }],
        ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
        ['UTF-16', { 'Content-Type': 'application/json; charset=utf-16' }],
        ['UTF-7', { 'Content-Type': 'application/json; charset=utf-7' }],
        ['a coding', { 'Content-Encoding': 'gzip' }],
      ];
      it.each(TYPES)('a body that is %s', async (_title, headers) => {
        const answer = await post(JSON.stringify(call('delete_user')), headers);
        expect([answer.status, errorOf(answer).data.code]).toEqual([415, 'unsupported_media_type']);
        expect(calls).toEqual([]);
      });

      it('an unknown protocol version, and says which are known', async () => {
        const answer = await post(JSON.stringify(list), { 'MCP-Protocol-Version': '2024-01-01' });
        const { code, data } = errorOf(answer) as { code: number; data: object };
        expect([answer.status, code]).toEqual([400, -32022]);
        expect(data).toMatchObject({
          requested: '2024-01-01',
          supported: expect.arrayContaining(['2025-11-25', '2026-07-28']),
        });
      });

      it.each(['GET', 'DELETE'])('%s in revision 2026-07-28', async method => {
        const answer = await app.send('/mcp', { method, headers: { 'MCP-Protocol-Version': '2026-07-28' } });
        expect([answer.status, answer.header('allow')]).toEqual([405, 'POST']);
      });

      const modernCall = modern('tools/call', { name: 'read_file', arguments: {} });
      const without = (name: string): Record<string, string> => {
        const { [name]: _gone, ...rest } = modernCall.headers;
        return rest;
      };
      const HEADERS: readonly [title: string, headers: Record<string, string>][] = [
        ['no MCP-Protocol-Version', without('MCP-Protocol-Version')],
        ['no Mcp-Method', without('Mcp-Method')],
        ['no Mcp-Name', without('Mcp-Name')],
        ['another Mcp-Method', { ...modernCall.headers, 'Mcp-Method': 'ping' }],
        ['another Mcp-Name', { ...modernCall.headers, 'Mcp-Name': 'delete_user' }],
        ['another MCP-Protocol-Version', { ...modernCall.headers, 'MCP-Protocol-Version': '2025-11-25' }],
        ['an Mcp-Name that cannot be decoded', { ...modernCall.headers, 'Mcp-Name': '=?base64?!?=' }],
      ];
      it.each(HEADERS)('%s over a call of revision 2026-07-28', async (_title, headers) => {
        const answer = await app.send('/mcp', { body: modernCall.body, headers });
        expect([answer.status, errorOf(answer).code]).toEqual([400, -32020]);
        expect(answer.json()).toMatchObject({ jsonrpc: '2.0', id: 1 });
        expect(calls).toEqual([]);
      });

      it('headers of an older client that name another tool', async () => {
        const answer = await post(JSON.stringify(call('delete_user')), { 'Mcp-Name': 'read_file' });
        expect([answer.status, errorOf(answer).code]).toEqual([400, -32020]);
      });

      it('a batch in revision 2026-07-28', async () => {
        const { body, headers } = modern('tools/list');
        const answer = await app.send('/mcp', { body: `[${body}]`, headers });
        expect([answer.status, errorOf2(answer)]).toEqual([400, [-32600]]);
      });

      it('a credential in the URL', async () => {
        for (const query of ['access_token=x', 'a=b&api_key=x', '%61ccess_token=x']) {
          const answer = await app.send(`/mcp?${query}`, {
            body: JSON.stringify(list),
            headers: JSON_HEADERS,
          });
          expect([answer.status, errorOf(answer).data.code]).toEqual([400, 'credential_in_url']);
        }
      });

      it.each(['/MCP', '/mcp/', '/%6dcp', '/mcp;x', '/mcp?x', '//mcp', '/mcp/below'])(
        'the same under %s',
        async path => {
          const answer = await app.send(path, { headers: { Origin: 'https://evil.test' } });
          // An ambiguous path is rejected as such, whatever the origin.
          expect(answer.status).toBe(/;|^\/\//.test(path) ? 400 : 403);
        },
      );
    });
  });

  describe('OPTIONS', () => {
    const seen: string[] = [];
    beforeEach(() => void seen.splice(0));

    @Controller()
    class EveryMethodController {
      @All('mcp')
      answer(@Req() { method }: { method: string }): string {
        seen.push(method);
        return 'answered';
      }
    }
    const parts: AppParts = { controllers: [EveryMethodController] };
    const preflight = {
      Origin: 'http://localhost',
      Host: 'localhost',
      'Access-Control-Request-Method': 'POST',
    };
    const body = JSON.stringify(call('read_file'));
    const ROWS: readonly [title: string, headers: Record<string, string>, body: string[] | string][] = [
      ['without a body', {}, ''],
      ['with a message', JSON_HEADERS, body],
      ['with a message in chunks', JSON_HEADERS, [body]],
      ['with a message and the headers of a preflight', { ...JSON_HEADERS, ...preflight }, body],
      ['with the headers of a preflight and chunks', { ...JSON_HEADERS, ...preflight }, [body]],
      ['with an Origin alone', { Origin: 'http://localhost', Host: 'localhost' }, ''],
    ];
    it.each(ROWS)(
      '%s is rejected, also where the app answers preflights',
      async (_title, headers, content) => {
        const { send } = await start(platform, withMcp(parts, { cors: false }));
        const answer = await send('/mcp', {
          method: 'OPTIONS',
          headers,
          ...(content === '' ? {} : { body: content }),
        });
        expect([answer.status, answer.header('allow')]).toEqual([405, 'GET, POST, DELETE']);
        expect(seen).toEqual([]);
      },
    );

    it('that is a preflight reaches an app that answers it', async () => {
      const { send } = await start(platform, withMcp(parts, { cors: false }));
      const answer = await send('/mcp', { method: 'OPTIONS', headers: preflight });
      expect([answer.status, seen]).toEqual([200, ['OPTIONS']]);
    });
  });

  it('leaves other paths alone', async () => {
    const { send } = await start(platform, withMcp(SDK_SERVER.parts));
    for (const path of ['/', '/mcpx', '/x/mcp'])
      expect((await send(path, { headers: { Origin: 'https://evil.test' } })).status).toBe(404);
  });

  describe('bodies', () => {
    let app: RunningApp;
    beforeAll(async () => {
      app = await startShared(platform, withMcp(SESSION_SERVER.parts));
    });
    const initialize = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'ünï€', version: '1' } },
    });
    const head = [
      'POST /mcp HTTP/1.1',
      'Host: localhost',
      'Content-Type: application/json',
      'Accept: application/json, text/event-stream',
      'Connection: close',
    ];
    const bytes = Buffer.from(initialize);

    it('of a known length', async () => {
      const { text } = await exchange(
        app.port,
        [...head, `Content-Length: ${bytes.length}`, '', ''].join('\r\n') + bytes.toString('latin1'),
        1,
      );
      expect(text).toMatch(/^HTTP\/1\.1 200 [^]*"protocolVersion":"2025-11-25"/);
    });

    it('in chunks of one byte', async () => {
      const chunks = [...bytes].map(byte => `1\r\n${String.fromCharCode(byte)}\r\n`).join('');
      const { text } = await exchange(
        app.port,
        `${[...head, 'Transfer-Encoding: chunked', '', ''].join('\r\n')}${chunks}0\r\n\r\n`,
        1,
      );
      expect(text).toMatch(/^HTTP\/1\.1 200 [^]*"protocolVersion":"2025-11-25"/);
    });

    it('that arrive slowly, one packet after the other', async () => {
      const socket = connect(app.port, '127.0.0.1');
      const answered = new Promise<string>(resolve => {
        let text = '';
        socket.on('data', part => {
          text += part;
          if (text.includes('"id":1}')) resolve(text);
        });
        socket.on('close', () => resolve(text));
      });
      const write = (part: string | Buffer): Promise<void> =>
        new Promise(resolve => socket.write(part, () => setImmediate(resolve)));
      await write([...head, `Content-Length: ${bytes.length}`, '', ''].join('\r\n'));
      for (let index = 0; index < bytes.length; index += 7) await write(bytes.subarray(index, index + 7));
      expect(await answered).toMatch(/^HTTP\/1\.1 200 [^]*"protocolVersion":"2025-11-25"/);
      socket.destroy();
    });

    it('that wait for 100 Continue', async () => {
      const { text } = await exchange(
        app.port,
        [...head, 'Expect: 100-continue', `Content-Length: ${bytes.length}`, '', ''].join('\r\n') +
          bytes.toString('latin1'),
        1,
      );
      expect(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
      expect(text.match(/100 Continue/g)).toHaveLength(1);
    });

    it('that are not requested where the head is rejected', async () => {
      const { text } = await exchange(
        app.port,
        [
          ...head,
          'Origin: https://evil.test',
          'Expect: 100-continue',
          `Content-Length: ${bytes.length}`,
          '',
          '',
        ].join('\r\n'),
      );
      expect(text).toMatch(/^HTTP\/1\.1 403 /);
    });

    it('that are empty', async () => {
      const empty = await exchange(
        app.port,
        [...head, 'Transfer-Encoding: chunked', '', '0', '', ''].join('\r\n'),
      );
      expect(empty.text).toMatch(/^HTTP\/1\.1 400 [^]*-32700/);
      const none = await exchange(app.port, [...head, '', ''].join('\r\n'), 1);
      expect(none.text).toMatch(/^HTTP\/1\.1 400 /);
    });

    it('whose client goes away in the middle', async () => {
      for (let round = 0; round < 3; round++) {
        const socket = connect(app.port, '127.0.0.1');
        await new Promise<void>(resolve => {
          socket.write([...head, 'Content-Length: 1000', '', '{"jsonrpc"'].join('\r\n'), () =>
            setImmediate(resolve),
          );
        });
        socket.destroy();
      }
      expect((await app.send('/mcp', { body: initialize, headers: JSON_HEADERS })).status).toBe(200);
      expect(app.logger.entries.filter(({ level }) => level === 'error')).toEqual([]);
    });

    it('two on one connection, the first rejected', async () => {
      const one = (body: string): string =>
        [...head.slice(0, -1), `Content-Length: ${body.length}`, '', body].join('\r\n');
      const { answers } = await exchange(
        app.port,
        one('{}') + one('{"jsonrpc":"2.0","id":7,"method":"ping"}'),
        2,
      );
      expect(answers.map(({ status }) => status)).toEqual([400, 400]);
      expect(answers[0]!.body).toContain('mcp_invalid');
    });
  });

  it('checks requests that do not come through the server’s own event', async () => {
    if (platform.name !== 'Fastify') return;
    const { app } = await start(platform, withMcp(SDK_SERVER.parts));
    const inject = (
      app as never as { inject(options: object): Promise<{ statusCode: number; body: string }> }
    ).inject.bind(app);
    const { body, headers } = modern('tools/call', { name: 'read_file', arguments: { path: '/ä' } });
    const served = await inject({
      method: 'POST',
      url: '/mcp',
      payload: body,
      headers: { ...headers, host: 'localhost' },
    });
    expect([served.statusCode, calls]).toEqual([200, ['read_file']]);
    const rejected = await inject({
      method: 'POST',
      url: '/mcp',
      payload: body,
      headers: { ...headers, host: 'localhost', 'mcp-name': 'x' },
    });
    expect([rejected.statusCode, calls]).toEqual([400, ['read_file']]);
  });

  describe('origins.json', () => {
    const rows = loadCases('origins').cases.filter(({ mcp }) => mcp === true);
    it('has the rows', () => expect(rows.map(({ id }) => id)).toEqual(['X034', 'X038', 'X040']));

    it.each(rows.map(row => [row.id, row] as const))('%s', async (_id, row) => {
      const { send } = await start(platform, withMcp(SDK_SERVER.parts, { mcp: { origins: row.trusted } }));
      const { body, headers } = modern('tools/list');
      const answer = await send('/mcp', {
        method: row.method,
        body,
        headers: { ...headers, Host: row.host, ...(row.origin ? { Origin: row.origin } : {}) },
      });
      expect(answer.status).toBe(row.expect);
      expect(answer.header('access-control-allow-origin')).toBe(row.expect === 200 ? row.origin : undefined);
    });
  });

  it('answers the preflight of a listed page', async () => {
    const { send } = await start(platform, withMcp(SDK_SERVER.parts, { mcp: { origins: ['localhost'] } }));
    const headers = { Origin: 'http://localhost:6274', 'Access-Control-Request-Method': 'POST' };
    const listed = await send('/mcp', { method: 'OPTIONS', headers });
    expect([listed.status, listed.header('access-control-allow-origin')]).toEqual([
      204,
      'http://localhost:6274',
    ]);
    expect((await send('/', { method: 'OPTIONS', headers })).status).toBe(403);
  });

  it('tells proxies not to buffer a stream', async () => {
    const { port, send } = await start(platform, withMcp(SESSION_SERVER.parts));
    await connectClient(port, { revision: '2025-11-25' });
    const stream = await send('/mcp', {
      headersOnly: true,
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
      }),
      headers: JSON_HEADERS,
    });
    expect(stream.header('content-type')).toMatch(/^text\/event-stream/);
    expect(stream.header('x-accel-buffering')).toBe('no');
  });

  it('limits requests to a library’s endpoint, a batch by its messages', async () => {
    const { send, clock } = await start(
      platform,
      withMcp(SESSION_SERVER.parts, { rateLimit: { limits: '5/minute', flood: false } }),
    );
    const post = (body: unknown) => send('/mcp', { body: JSON.stringify(body), headers: JSON_HEADERS });
    expect((await post(call('read_file'))).header('ratelimit')).toBe('"5-per-minute";r=4;t=60');
    const batch = await post([call('read_file', 1), call('read_file', 2), call('read_file', 'three')]);
    expect(batch.header('ratelimit')).toBe('"5-per-minute";r=1;t=60');
    const rejected = await post([call('read_file', 1), call('read_file', 'two')]);
    expect([rejected.status, rejected.header('retry-after')]).toEqual([429, '60']);
    expect(rejected.json()).toMatchObject([
      { jsonrpc: '2.0', id: 1, error: { code: -32000, data: { code: 'rate_limited', status: 429 } } },
      { id: 'two' },
    ]);
    expect((await post(call('read_file'))).header('ratelimit')).toBe('"5-per-minute";r=0;t=60');
    const over = await post(call('read_file'));
    expect(over.status).toBe(429);
    expect(errorOf(over).data).toMatchObject({
      retry_after_seconds: 60,
      requestId: over.header('x-request-id'),
    });
    clock.advance(60_000);
    expect((await post(call('read_file'))).status).not.toBe(429);
  });
});

describe.each(PLATFORMS)('a batch on %s', (_platform, platform) => {
  const batch = (size: number): string =>
    JSON.stringify(Array.from({ length: size }, (_, index) => call('read_file', index)));
  const COSTS: readonly [title: string, cost: number | (() => number | Promise<number>)][] = [
    ['a number', 2],
    ['a function', () => 2],
    ['a function that waits', async () => 2],
  ];
  it.each(COSTS)('costs what each of its messages costs: %s', async (_title, cost) => {
    const { send } = await start(
      platform,
      withMcp(SESSION_SERVER.parts, {
        rateLimit: { limits: [{ limit: '20/minute', cost }], flood: false },
      }),
    );
    const post = (body: string) => send('/mcp', { body, headers: JSON_HEADERS });
    expect((await post(batch(3))).header('ratelimit')).toBe('"20-per-minute";r=14;t=60');
    expect((await post(batch(8))).status).toBe(429);
    expect((await post(batch(7))).header('ratelimit')).toBe('"20-per-minute";r=0;t=60');
    expect((await post(batch(1))).status).toBe(429);
  });

  it('costs so much in the tier of its agent too', async () => {
    const { send } = await start(
      platform,
      withMcp(SESSION_SERVER.parts, {
        rateLimit: {
          limits: '1000/minute',
          flood: false,
          tiers: { small: [{ limit: '20/minute', cost: () => 2 }] },
          tier: () => 'small',
        },
      }),
    );
    const answer = await send('/mcp', { body: batch(3), headers: JSON_HEADERS });
    expect(answer.header('ratelimit')).toBe('"20-per-minute";r=14;t=60');
  });
});

const errorOf2 = (answer: Answer): number[] =>
  (answer.json() as { error: { code: number } }[]).map(({ error }) => error.code);
