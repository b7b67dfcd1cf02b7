/* Gateways: who may open a socket, and how many messages it may send, for ws and socket.io (over a WebSocket and over HTTP polling). */
import { type INestApplication, UseGuards } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway, WsException } from '@nestjs/websockets';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { AgentTool, PrivateNetworkOnly, Public, RateLimit, Scopes, SkipRateLimit } from '../../src/index.js';
import { freePort } from '../support/free-port.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { sinceNest } from '../support/nest-version.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

@WebSocketGateway({ path: '/ws' })
class Gateway {
  @SubscribeMessage('echo')
  echo(@MessageBody() text: string): unknown {
    return { event: 'echo', data: text };
  }

  @RateLimit('2/minute')
  @SubscribeMessage('limited')
  limited(@MessageBody() text: string): unknown {
    return { event: 'limited', data: text };
  }

  @SkipRateLimit()
  @SubscribeMessage('free')
  free(@MessageBody() text: string): unknown {
    return { event: 'free', data: text };
  }

  @AgentTool('delete_user')
  @SubscribeMessage('tool')
  tool(@MessageBody() text: string): unknown {
    return { event: 'tool', data: text };
  }

  @PrivateNetworkOnly()
  @SubscribeMessage('internal')
  internal(@MessageBody() text: string): unknown {
    return { event: 'internal', data: text };
  }

  @SubscribeMessage('own')
  own(): never {
    throw new WsException('shown');
  }
}

@WebSocketGateway({ path: '/ws' })
class ScopedGateway extends Gateway {
  @Scopes('data:write')
  @SubscribeMessage('write')
  write(@MessageBody() text: string): unknown {
    return { event: 'write', data: text };
  }
}

@WebSocketGateway({ path: '/ws' })
@Public()
class PublicGateway extends Gateway {}

type Reply = readonly [event: string, data: unknown];

interface Client {
  request(event: string): Promise<Reply>;
  close(): void;
}

interface ConnectOptions {
  readonly headers?: Record<string, string>;
  readonly protocols?: string[];
}

interface Library {
  adapter(app: INestApplication): IoAdapter | WsAdapter;
  connect(port: number, options?: ConnectOptions): Promise<Client>;
}

const open: Client[] = [];
afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

const overWs: Library = {
  adapter: app => new WsAdapter(app),
  connect: (port, { headers = {}, protocols = [] } = {}) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, protocols, { headers });
      socket.once('unexpected-response', (_request, response) =>
        reject(new Error(`status ${response.statusCode}`)),
      );
      socket.once('error', reject);
      socket.once('open', () => {
        const client: Client = {
          request: event =>
            new Promise(answered => {
              socket.once('message', text => {
                const { event: name, data } = JSON.parse(String(text)) as { event: string; data: unknown };
                answered([name, data]);
              });
              socket.send(JSON.stringify({ event, data: 'hello' }));
            }),
          close: () => socket.terminate(),
        };
        open.push(client);
        resolve(client);
      });
    }),
};

const overSocketIo = (transport: 'websocket' | 'polling'): Library => ({
  adapter: app => new IoAdapter(app),
  connect: (port, { headers = {} } = {}) =>
    new Promise((resolve, reject) => {
      const socket = io(`http://127.0.0.1:${port}`, {
        path: '/ws',
        transports: [transport],
        extraHeaders: headers,
        reconnection: false,
        forceNew: true,
      });
      socket.once('connect_error', error => {
        socket.close();
        const { description } = error as { description?: unknown };
        const status =
          typeof description === 'number' ? description : (description as { message?: string })?.message;
        reject(new Error(`status ${/\d{3}/.exec(String(status))?.[0] ?? error.message}`));
      });
      socket.once('connect', () => {
        const client: Client = {
          request: event =>
            new Promise(answered => {
              const settle = (name: string, data: unknown): void => {
                socket.offAny(settle);
                answered([name, data]);
              };
              socket.onAny(settle);
              socket.emit(event, 'hello');
            }),
          close: () => socket.close(),
        };
        open.push(client);
        resolve(client);
      });
    }),
});

const LIBRARIES: readonly (readonly [title: string, library: Library])[] = [
  ['ws', overWs],
  ['socket.io over a WebSocket', overSocketIo('websocket')],
  ['socket.io over polling', overSocketIo('polling')],
];

describe.each(PLATFORMS)('gateways on %s', (_platform, platform) => {
  describe.each(LIBRARIES)('with %s', (title, library) => {
    const startGateway = (
      options: AppParts['options'],
      gateway: new () => object = Gateway,
    ): Promise<RunningApp> =>
      start(platform, {
        options: { rateLimit: { flood: false }, ...options },
        providers: [gateway],
        configure: app => void app.useWebSocketAdapter(library.adapter(app)),
      });

    it('holds a handler to its @RateLimit(), and says when to come again', async () => {
      const { port, clock } = await startGateway({});
      const client = await library.connect(port, { headers: { 'X-Request-ID': 'handshake' } });
      expect(await client.request('limited')).toEqual(['limited', 'hello']);
      expect(await client.request('limited')).toEqual(['limited', 'hello']);
      expect(await client.request('limited')).toEqual([
        'exception',
        {
          status: 'error',
          message: 'Limit: 2 requests per 1 minute',
          statusCode: 429,
          type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
          title: 'Too Many Requests',
          code: 'rate_limited',
          requestId: 'handshake',
          retryable: true,
          retry_after_seconds: 60,
          'violated-policies': ['2-per-minute'],
          cause: { pattern: 'limited' },
        },
      ]);
      expect(await client.request('echo')).toEqual(['echo', 'hello']);
      clock.advance(60_000);
      expect(await client.request('limited')).toEqual(['limited', 'hello']);
    });

    it('limits all messages of a client together, over all its sockets', async () => {
      const { port } = await startGateway({
        rateLimit: { flood: false, limits: '1/minute', messages: '3/minute' },
      });
      const [one, other] = [await library.connect(port), await library.connect(port)];
      expect((await one.request('echo'))[0]).toBe('echo');
      expect((await other.request('echo'))[0]).toBe('echo');
      expect((await one.request('echo'))[0]).toBe('echo');
      expect(await other.request('echo')).toMatchObject(['exception', { code: 'rate_limited' }]);
      expect((await other.request('free'))[0]).toBe('free');
      expect((await other.request('limited'))[0]).toBe('limited');
    });

    it('takes messages: false', async () => {
      const { port } = await startGateway({
        rateLimit: { flood: false, limits: '1/minute', messages: false },
      });
      const client = await library.connect(port);
      for (let count = 0; count < 5; count++) expect((await client.request('echo'))[0]).toBe('echo');
    });

    const describeExceptions =
      title === 'ws' ? sinceNest([12, 0], 'Nest 11 sends exceptions to socket.io only') : describe;
    describeExceptions('a WsException of the app', () => {
      it('is left as it is', async () => {
        const { port } = await startGateway({});
        const client = await library.connect(port);
        expect(await client.request('own')).toMatchObject(['exception', { message: 'shown' }]);
      });
    });

    it('rejects a message before the guards of the gateway', async () => {
      const seen: string[] = [];
      @WebSocketGateway({ path: '/ws' })
      @UseGuards({ canActivate: () => seen.push('class') > 0 })
      class Guarded {
        @UseGuards({ canActivate: () => seen.push('handler') > 0 })
        @SubscribeMessage('echo')
        echo(): unknown {
          return { event: 'echo', data: 'hello' };
        }
      }
      const { port } = await startGateway({ rateLimit: { flood: false, messages: '2/minute' } }, Guarded);
      const client = await library.connect(port);
      for (const event of ['echo', 'echo', 'exception'])
        expect((await client.request('echo'))[0]).toBe(event);
      expect(seen).toEqual(['class', 'handler', 'class', 'handler']);
    });

    it('knows the address of a socket', async () => {
      const { port } = await startGateway({ trustProxy: 'loopback' });
      const inside = await library.connect(port, { headers: { 'X-Forwarded-For': '10.0.0.1' } });
      expect(await inside.request('internal')).toEqual(['internal', 'hello']);
      const behind = await library.connect(port, { headers: { 'X-Forwarded-For': '8.8.8.8, 10.0.0.1' } });
      expect(await behind.request('internal')).toMatchObject(['exception', { code: 'network_not_allowed' }]);
      const outside = await library.connect(port, { headers: { 'X-Forwarded-For': '8.8.8.8' } });
      expect(await outside.request('internal')).toMatchObject(['exception', { code: 'network_not_allowed' }]);
    });

    const secured = (): { options: AppParts['options']; key: string; writer: string } => {
      const keys = new TestKeys();
      const { key } = keys.add('reader', { tools: ['read_*'] });
      const writer = keys.add('writer', { scopes: ['data:write'] }).key;
      return { options: { auth: { apiKeys: { store: keys.store, secret: SECRET } } }, key, writer };
    };

    it('opens for a credential only', async () => {
      const { options, key } = secured();
      const { port } = await startGateway(options);
      await expect(library.connect(port)).rejects.toThrow('status 401');
      await expect(library.connect(port, { headers: { Authorization: 'Bearer x' } })).rejects.toThrow(
        'status 401',
      );
      const client = await library.connect(port, { headers: { 'X-API-Key': key } });
      expect(await client.request('echo')).toEqual(['echo', 'hello']);
    });

    it('holds messages to scopes and tools', async () => {
      const { options, key, writer } = secured();
      const { port } = await startGateway(options, ScopedGateway);
      const client = await library.connect(port, { headers: { Authorization: `Bearer ${key}` } });
      expect(await client.request('write')).toMatchObject([
        'exception',
        { code: 'insufficient_scope', statusCode: 403, required_scopes: ['data:write'] },
      ]);
      expect(await client.request('tool')).toMatchObject(['exception', { code: 'tool_not_allowed' }]);
      const other = await library.connect(port, { headers: { Authorization: `Bearer ${writer}` } });
      expect(await other.request('write')).toEqual(['write', 'hello']);
      expect(await other.request('tool')).toEqual(['tool', 'hello']);
    });

    it('counts agents apart', async () => {
      const { options, key, writer } = secured();
      const { port } = await startGateway({ ...options, rateLimit: { flood: false, messages: '1/minute' } });
      const one = await library.connect(port, { headers: { Authorization: `Bearer ${key}` } });
      const other = await library.connect(port, { headers: { Authorization: `Bearer ${writer}` } });
      expect((await one.request('echo'))[0]).toBe('echo');
      expect((await one.request('echo'))[0]).toBe('exception');
      expect((await other.request('echo'))[0]).toBe('echo');
    });

    it('opens over TLS only, where that is required', async () => {
      const { port } = await startGateway({ webSockets: { requireTls: true }, trustProxy: 'loopback' });
      await expect(library.connect(port)).rejects.toThrow('status 403');
      const client = await library.connect(port, { headers: { 'X-Forwarded-Proto': 'https' } });
      expect(await client.request('echo')).toEqual(['echo', 'hello']);
    });

    it.each([
      ['a foreign host', { Host: 'evil.test' }, 421],
      ['a foreign page', { Origin: 'https://evil.test' }, 403],
      ['a foreign page that sends no Origin', { 'Sec-Fetch-Site': 'cross-site' }, 403],
      ['a page of a sibling that sends no Origin', { 'Sec-Fetch-Site': 'same-site' }, 403],
    ])('rejects %s', async (_what, headers, status) => {
      const { port, send } = await startGateway({});
      // The polling client would send neither of the two headers; a browser does.
      const isPolling = title === 'socket.io over polling';
      const rejected = isPolling
        ? send('/ws/?EIO=4&transport=polling', { headers }).then(answer => `status ${answer.status}`)
        : library.connect(port, { headers }).then(
            () => 'open',
            (error: Error) => error.message,
          );
      expect(await rejected).toBe(`status ${status}`);
    });

    it.each(['same-origin', 'none'])('opens for Sec-Fetch-Site: %s', async site => {
      const { port } = await startGateway({});
      const client = await library.connect(port, { headers: { 'Sec-Fetch-Site': site } });
      expect(await client.request('echo')).toEqual(['echo', 'hello']);
    });

    it('rejects messages of a socket that needed no credential', async () => {
      const keys = new TestKeys();
      const auth = { apiKeys: { store: keys.store, secret: SECRET }, publicPaths: ['/ws', '/ws/'] };
      const { port } = await startGateway({ auth } as AppParts['options']);
      const client = await library.connect(port);
      expect(await client.request('echo')).toMatchObject([
        'exception',
        { code: 'credential_missing', statusCode: 401 },
      ]);
    });

    it('lets messages of a @Public() gateway pass', async () => {
      const keys = new TestKeys();
      const auth = { apiKeys: { store: keys.store, secret: SECRET }, publicPaths: ['/ws', '/ws/'] };
      const { port } = await startGateway({ auth } as AppParts['options'], PublicGateway);
      const client = await library.connect(port);
      expect(await client.request('echo')).toEqual(['echo', 'hello']);
    });
  });

  it('takes a credential as a subprotocol, which browsers can send', async () => {
    const keys = new TestKeys();
    const { key } = keys.add('reader');
    const { port } = await start(platform, {
      options: { auth: { apiKeys: { store: keys.store, secret: SECRET } } },
      providers: [Gateway],
      configure: app => void app.useWebSocketAdapter(new WsAdapter(app)),
    });
    const client = await overWs.connect(port, { protocols: ['chat', `bearer.${key}`] });
    expect(await client.request('echo')).toEqual(['echo', 'hello']);
  });

  it('limits messages of a gateway on a port of its own by the address', async () => {
    const port = await freePort();
    @WebSocketGateway(port, { path: '/ws' })
    class OwnGateway extends Gateway {}
    await start(platform, {
      options: { rateLimit: { flood: false, messages: '1/minute' } },
      providers: [OwnGateway],
      configure: app => void app.useWebSocketAdapter(new WsAdapter(app)),
    });
    const client = await overWs.connect(port);
    expect((await client.request('echo'))[0]).toBe('echo');
    expect((await client.request('echo'))[0]).toBe('exception');
  });
});
