/* What counts in `flood`: every request of an address, also one that is rejected for another reason or answered as a preflight. */
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway } from '@nestjs/websockets';
import type { AgentSecurityOptions } from '../../src/index.js';
import { HelloController } from '../support/controllers.js';
import { exchange } from '../support/http.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

@WebSocketGateway({ path: '/ws' })
class Gateway {}

const APP = 'https://app.example.com';
const head = (line: string, ...lines: string[]): string => [line, ...lines, '', ''].join('\r\n');
const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket'];
const PREFLIGHT = 'Access-Control-Request-Method: GET';
const KEYS = new TestKeys();
const AUTH: AgentSecurityOptions = { auth: { apiKeys: { store: KEYS.store, secret: SECRET } } };

const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

type Row = readonly [what: string, bytes: string, status: number, options: AgentSecurityOptions];
const CASES: readonly (readonly [string, string, number, AgentSecurityOptions?])[] = [
  ['a foreign host', head('GET / HTTP/1.1', 'Host: evil.test'), 421],
  ['no host', head('GET / HTTP/1.1'), 400],
  ['TRACE', head('TRACE / HTTP/1.1', 'Host: localhost'), 405],
  ['an allowed preflight', head('OPTIONS / HTTP/1.1', 'Host: localhost', `Origin: ${APP}`, PREFLIGHT), 204],
  [
    'a preflight of a foreign origin',
    head('OPTIONS / HTTP/1.1', 'Host: localhost', 'Origin: null', PREFLIGHT),
    403,
  ],
  ['a foreign origin', head('DELETE / HTTP/1.1', 'Host: localhost', 'Origin: https://evil.test'), 403],
  ['an unknown expectation', head('GET / HTTP/1.1', 'Host: localhost', 'Expect: x'), 417],
  ['an ambiguous path', head('GET /%2e%2e/a HTTP/1.1', 'Host: localhost'), 400],
  ['an unknown path', head('GET /unknown HTTP/1.1', 'Host: localhost'), 404],
  ['a URL that no router reads', head('GET /%zz HTTP/1.1', 'Host: localhost'), 400],
  ['a handshake with a foreign host', head('GET /ws HTTP/1.1', 'Host: evil.test', ...UPGRADE), 421],
  [
    'a handshake of a foreign origin',
    head('GET /ws HTTP/1.1', 'Host: localhost', 'Origin: null', ...UPGRADE),
    403,
  ],
  ['a handshake without a credential', head('GET /ws HTTP/1.1', 'Host: localhost', ...UPGRADE), 401, AUTH],
  ['a request without a credential', head('GET / HTTP/1.1', 'Host: localhost'), 401, AUTH],
  [
    'an MCP request without a credential',
    head(
      'POST /mcp HTTP/1.1',
      'Host: localhost',
      'Accept: application/json, text/event-stream',
      'Content-Type: application/json',
      `Content-Length: ${PING.length}`,
    ) + PING,
    401,
    { ...AUTH, mcp: {} },
  ],
  [
    'an MCP request with a foreign host',
    head('POST /mcp HTTP/1.1', 'Host: evil.test', 'Content-Length: 0'),
    421,
    { ...AUTH, mcp: {} },
  ],
];

const ROWS = CASES.map(([what, bytes, status, options = {}]): Row => [what, bytes, status, options]);

describe.each(PLATFORMS)('flood on %s', (_platform, platform) => {
  it.each(ROWS)('counts %s', async (_what, bytes, status, options) => {
    const { port, clock } = await start(platform, {
      options: { cors: { origins: [APP] }, rateLimit: { limits: false, flood: '2/minute' }, ...options },
      controllers: [HelloController],
      providers: [Gateway],
      configure: app => void app.useWebSocketAdapter(new WsAdapter(app)),
    });
    const statusOf = async (): Promise<number> => (await exchange(port, bytes, 1)).answers[0]!.status;
    expect([await statusOf(), await statusOf(), await statusOf()]).toEqual([status, status, 429]);
    clock.advance(60_000);
    expect(await statusOf()).toBe(status);
  });

  it('tells an allowed page why its preflight is rejected', async () => {
    const { send } = await start(platform, {
      options: { cors: { origins: [APP] }, rateLimit: { flood: '1/minute' } },
    });
    const headers = { Origin: APP, 'Access-Control-Request-Method': 'GET' };
    await send('/', { method: 'OPTIONS', headers });
    const answer = await send('/', { method: 'OPTIONS', headers });
    expect([answer.status, answer.header('access-control-allow-origin')]).toEqual([429, APP]);
  });
});
