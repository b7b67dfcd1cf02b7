/* Peers that send something and reset the connection: what is written to a socket that is gone must not end the process. An 'error'
 * event without a listener is an uncaught exception, which fails the test that runs. */
import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { Controller, Get, Post } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway } from '@nestjs/websockets';
import type { AgentSecurityOptions } from '../../src/index.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { sendAndReset } from '../support/sockets.js';
import { type RunningApp, start } from '../support/start.js';

@Controller()
class Routes {
  @Get()
  read(): object {
    return {};
  }

  @Post()
  write(): object {
    return {};
  }
}

@WebSocketGateway({ path: '/ws' })
class Gateway {}

const ROUNDS = 50;

type Case = readonly [title: string, bytes: string, options?: AgentSecurityOptions];
type Row = readonly [title: string, bytes: string, options: AgentSecurityOptions];

const rows = (cases: readonly Case[]): readonly Row[] =>
  cases.map(([title, bytes, options = { rateLimit: false }]) => [title, bytes, options]);

const upgrade = (lines: string, target = '/ws'): string =>
  `GET ${target} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines}\r\n`;

const KEYS = new TestKeys();
const AUTH = { auth: { apiKeys: { store: KEYS.store, secret: SECRET } } };
const FLOOD = { rateLimit: { flood: '1/hour' } };

/** What an ordinary request gets behind the resets: those have counted in `flood`. */
const statusUnder = (options: AgentSecurityOptions): number => {
  if (options === FLOOD) return 429;
  return options === AUTH ? 401 : 200;
};

const HANDSHAKES: readonly Case[] = [
  ['a foreign host', upgrade('Host: evil.test\r\n')],
  ['no host', upgrade('')],
  ['a foreign origin', upgrade('Host: localhost\r\nOrigin: https://evil.test\r\n')],
  ['a flood', upgrade('Host: localhost\r\n'), FLOOD],
  ['no TLS', upgrade('Host: localhost\r\n'), { webSockets: { requireTls: true } }],
  ['no credential', upgrade('Host: localhost\r\n'), AUTH],
  ['a false credential', upgrade('Host: localhost\r\nX-API-Key: ask_x\r\n'), AUTH],
  ['a path that no gateway has', upgrade('Host: localhost\r\n', '/other')],
  ['a target that is no URL', upgrade('Host: localhost\r\n', '//')],
  ['a version that the gateway rejects', upgrade('Host: localhost\r\n').replace('13', '1')],
  ['an accepted handshake', upgrade('Host: localhost\r\n')],
  [
    'an upgrade behind another request',
    'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' + upgrade('Host: evil.test\r\n'),
  ],
];

const REQUESTS: readonly Case[] = [
  ['a foreign host', 'GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n'],
  ['a flood', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', FLOOD],
  ['an unknown expectation', 'POST / HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\nContent-Length: 5\r\n\r\n'],
  [
    'a body that waits for 100 Continue',
    'POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
  ],
  ['bytes that are no HTTP', 'nonsense\r\n\r\n'],
  ['a head that is too large', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
  ['no method of HTTP', 'FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['TRACE', 'TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['CONNECT', 'CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n'],
  [
    'half a body',
    'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a',
  ],
  ['two requests', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n'],
];

describe.each(PLATFORMS)('resets on %s', (_platform, platform) => {
  const alive = async ({ send, clock }: RunningApp): Promise<number> => {
    clock.advance(3_600_000);
    return (await send('/')).status;
  };

  describe.each([
    ['ws', WsAdapter],
    ['socket.io', IoAdapter],
  ])('of %s', (_library, Adapter) => {
    it.each(rows(HANDSHAKES))('survives %s', async (_title, bytes, options) => {
      const running = await start(platform, {
        options,
        controllers: [Routes],
        providers: [Gateway],
        configure: app => void app.useWebSocketAdapter(new Adapter(app)),
      });
      await sendAndReset(running.port, bytes, ROUNDS);
      expect(await alive(running)).toBe(statusUnder(options));
    });
  });

  it.each(rows(REQUESTS))('survives %s', async (_title, bytes, options) => {
    const running = await start(platform, { options, controllers: [Routes] });
    await sendAndReset(running.port, bytes, ROUNDS);
    expect(await alive(running)).toBe(statusUnder(options));
  });

  it.each([
    ['upgrade', upgrade('Host: localhost\r\n')],
    ['connect', 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n'],
  ])("keeps an error listener on the sockets of the server's %s event", async (event, bytes) => {
    const { app, port } = await start(platform, { options: { url: false } });
    const seen = new Promise<Duplex>(resolve => {
      (app.getHttpServer() as Server).on(event, (_request, socket: Duplex) => resolve(socket));
    });
    await sendAndReset(port, bytes, 1);
    const socket = await seen;
    // As behind a rejection that the listener writes when the peer has gone.
    expect(() => socket.emit('error', new Error('write ECONNRESET'))).not.toThrow();
    socket.destroy();
  });
});
