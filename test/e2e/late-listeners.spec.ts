/* Listeners of the server's events that are added while it listens: none of them may see a request that the edge has not admitted. */
import { once } from 'node:events';
import {
  createServer,
  Server as HttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Server as SocketIo } from 'socket.io';
import { WebSocketServer } from 'ws';
import type { AgentSecurityOptions } from '../../src/index.js';
import { HelloController } from '../support/controllers.js';
import { exchange } from '../support/http.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { FASTIFY, PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

const handshake = (lines: string, target = '/late'): string =>
  `GET ${target} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines}\r\n`;

/** Each attaches itself to a server that listens, and takes itself off behind the test. */
const LATE: readonly (readonly [title: string, path: string, attach: (server: Server) => () => unknown])[] = [
  [
    'a ws server',
    '/late',
    server => {
      const sockets = new WebSocketServer({ server, path: '/late' });
      return () => sockets.close();
    },
  ],
  [
    'socket.io',
    '/late/?EIO=4&transport=websocket',
    server => {
      const io = new SocketIo(server, { path: '/late' });
      return () => io.disconnectSockets(true);
    },
  ],
  [
    // As http-proxy-middleware does with `ws: true`: its first request makes it listen.
    'a proxy that listens from its first request on',
    '/late',
    server => {
      server.once('request', () => server.on('upgrade', takeOver));
      return () => server.off('upgrade', takeOver);
    },
  ],
  [
    'a prepended listener',
    '/late',
    server => {
      server.prependListener('upgrade', takeOver);
      return () => server.off('upgrade', takeOver);
    },
  ],
];

function takeOver(_request: IncomingMessage, socket: Duplex): void {
  socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
}

/** The status of the first answer on a connection, which is then closed. */
function statusOf(port: number, bytes: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.once('data', chunk => {
      socket.destroy();
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(String(chunk))?.[1]));
    });
    socket.once('end', () => reject(new Error('closed without an answer')));
    socket.once('error', reject);
  });
}

const KEYS = new TestKeys();
const { key: KEY } = KEYS.add('agent');
const AUTH: AgentSecurityOptions = { auth: { apiKeys: { store: KEYS.store, secret: SECRET } } };

describe.each(PLATFORMS)('late listeners on %s', (_platform, platform) => {
  const listen = async (options: AgentSecurityOptions = {}) => {
    const running = await start(platform, {
      options: { rateLimit: false, ...options },
      controllers: [HelloController],
    });
    return { ...running, server: running.app.getHttpServer() as Server };
  };

  describe.each(LATE)('%s', (_title, path, attach) => {
    it('gets the handshakes that the edge admits, and no others', async () => {
      const { port, server, send } = await listen();
      const detach = attach(server);
      expect((await send('/')).status).toBe(200);
      expect([
        await statusOf(port, handshake('Host: evil.test\r\n', path)),
        await statusOf(port, handshake('Host: localhost\r\nOrigin: https://evil.test\r\n', path)),
        await statusOf(port, handshake('Host: localhost\r\n', path)),
      ]).toEqual([421, 403, 101]);
      await detach();
    });

    it('gets no handshake without a credential', async () => {
      const { port, server, send } = await listen(AUTH);
      const detach = attach(server);
      await send('/');
      expect([
        await statusOf(port, handshake('Host: localhost\r\n', path)),
        await statusOf(port, handshake(`Host: localhost\r\nX-API-Key: ${KEY}\r\n`, path)),
      ]).toEqual([401, 101]);
      await detach();
    });
  });

  it('checks the requests of a socket.io server that removes the request listeners', async () => {
    const { server, send } = await listen();
    const io = new SocketIo(server, { path: '/late' });
    const poll = '/late/?EIO=4&transport=polling';
    const foreign = await send(poll, { headers: { Host: 'evil.test' } });
    const polled = await send(poll);
    expect([foreign.status, polled.status, polled.header('x-frame-options')]).toEqual([421, 200, 'DENY']);
    expect((await send('/')).status).toBe(200);
    io.disconnectSockets(true);
  });

  it.each([
    ['request', 'GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n', 421],
    [
      'checkContinue',
      'POST / HTTP/1.1\r\nHost: evil.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n',
      421,
    ],
    ['checkExpectation', 'POST / HTTP/1.1\r\nHost: evil.test\r\nExpect: x\r\nContent-Length: 0\r\n\r\n', 421],
    ['upgrade', handshake('Host: evil.test\r\n'), 421],
    ['connect', 'CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n', 421],
  ])('rejects before a late listener of %s runs', async (event, bytes, status) => {
    const { port, server } = await listen();
    const listener = jest.fn();
    server.prependListener(event, listener);
    const { answers } = await exchange(port, bytes, 1);
    expect([answers[0]!.status, answers[0]!.header('x-frame-options')]).toEqual([status, 'DENY']);
    expect(listener).not.toHaveBeenCalled();
  });

  it.each([
    ['checkContinue', '100-continue'],
    ['checkExpectation', 'x'],
  ])('leaves an admitted request to a late listener of %s', async (event, expectation) => {
    const { port, server } = await listen();
    server.on(event, (request: IncomingMessage, response: ServerResponse) => {
      request.method = 'GET';
      server.emit('request', request, response);
    });
    const head = `POST / HTTP/1.1\r\nHost: localhost\r\nExpect: ${expectation}\r\nContent-Length: 0\r\n\r\n`;
    const { answers } = await exchange(port, head, 1);
    expect([answers[0]!.status, answers[0]!.repeated]).toEqual([200, []]);
  });

  it('leaves bytes that are no HTTP to a late listener of clientError', async () => {
    const { port, server } = await listen();
    server.on('clientError', (_error, socket: Duplex) =>
      socket.end("HTTP/1.1 400 The app's own\r\nContent-Length: 0\r\n\r\n"),
    );
    const { text } = await exchange(port, 'nonsense\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 400 The app's own/);
  });

  it('serves an upgrade without a listener as a request', async () => {
    const { port } = await listen();
    expect(await statusOf(port, handshake('Host: localhost\r\n', '/'))).toBe(200);
  });

  it("checks an upgrade that another server passes to the app's, and closes one without a gateway", async () => {
    const { server } = await listen();
    // As Fastify does for each further address of `localhost`.
    const other = createServer().on('upgrade', server.emit.bind(server, 'upgrade'));
    await new Promise<void>(listening => other.listen(0, '127.0.0.1', listening));
    const { port } = other.address() as AddressInfo;
    expect(await statusOf(port, handshake('Host: evil.test\r\n'))).toBe(421);
    await expect(statusOf(port, handshake('Host: localhost\r\n'))).rejects.toThrow('closed');
    server.on('upgrade', takeOver);
    expect(await statusOf(port, handshake('Host: localhost\r\n'))).toBe(101);
    other.close();
  });

  it('can remove a listener', async () => {
    const { port, server } = await listen();
    server.on('upgrade', takeOver);
    expect(server.listeners('upgrade')).toEqual([takeOver]);
    server.off('upgrade', takeOver);
    expect(await statusOf(port, handshake('Host: localhost\r\n', '/'))).toBe(200);
  });

  it('shows rejections to a tracer that wraps the emit of all servers', async () => {
    const prototype = HttpServer.prototype as unknown as { emit?: (...args: unknown[]) => boolean };
    const emit = prototype.emit!;
    const traced: number[] = [];
    prototype.emit = function (this: HttpServer, event: unknown, ...args: unknown[]) {
      const response = event === 'request' ? (args[1] as ServerResponse) : undefined;
      response?.once('finish', () => traced.push(response.statusCode));
      return emit.call(this, event, ...args);
    };
    try {
      const { send } = await listen();
      await send('/', { headers: { Host: 'evil.test' } });
      await send('/');
    } finally {
      delete prototype.emit;
    }
    expect(traced).toEqual([421, 200]);
  });

  it('runs before an emit that a library has set on the server', async () => {
    const seen: string[] = [];
    const { send } = await start(platform, {
      options: { rateLimit: false },
      controllers: [HelloController],
      configure: app => {
        const server = app.getHttpServer() as Server;
        const emit = server.emit.bind(server);
        server.emit = (event: string, ...args: unknown[]) => {
          if (event === 'request') seen.push((args[0] as IncomingMessage).headers.host!);
          return emit(event, ...args);
        };
      },
    });
    expect((await send('/', { headers: { Host: 'evil.test' } })).status).toBe(421);
    expect((await send('/', { headers: { Host: 'localhost' } })).status).toBe(200);
    expect(seen).toEqual(['localhost']);
  });
});

it.each([
  ['rejects a CONNECT over HTTP/2 with a foreign host', 'evil.test:443', { status: 421, calls: 0 }],
  ['leaves an admitted one to its listener', 'localhost:443', { status: 299, calls: 1 }],
])('%s', async (_title, authority, expected) => {
  const { app, port } = await start(FASTIFY, {
    options: { url: false },
    adapter: () => new FastifyAdapter({ http2: true } as object),
  });
  const listener = jest.fn((_request: unknown, response: ServerResponse) => response.writeHead(299).end());
  (app.getHttpServer() as Server).on('connect', listener as never);
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const stream = session.request({ ':method': 'CONNECT', ':authority': authority });
  const [headers] = (await once(stream, 'response')) as [{ ':status': number; 'x-frame-options': string }];
  session.destroy();
  expect({ status: headers[':status'], calls: listener.mock.calls.length }).toEqual(expected);
  expect(headers['x-frame-options']).toBe('DENY');
});
