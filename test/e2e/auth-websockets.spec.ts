/* Authentication of WebSocket handshakes and messages. */
import { Injectable } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { type Agent, type AuthOptions, CurrentAgent, Public, Scopes } from '../../src/index.js';
import { MeController } from '../support/controllers.js';
import { exchange } from '../support/http.js';
import { createApiKey, SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

@Injectable()
@WebSocketGateway({ path: '/agents' })
class AgentsGateway {
  @SubscribeMessage('me')
  me(@CurrentAgent() agent: Agent | undefined): object {
    return { event: 'me', data: agent?.id ?? null };
  }

  @SubscribeMessage('admin')
  @Scopes('admin')
  admin(): object {
    return { event: 'admin', data: 'done' };
  }
}

@Injectable()
@Public()
@WebSocketGateway({ path: '/news' })
class NewsGateway {
  @SubscribeMessage('news')
  news(@CurrentAgent() agent: Agent | undefined): object {
    return { event: 'news', data: agent?.id ?? null };
  }
}

const handshake = (path: string, lines = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines}\r\n`;

describe.each(PLATFORMS)('%s', (_title, platform) => {
  const keys = new TestKeys();
  const { key } = keys.add('bot', { scopes: ['data:read'] });
  const forged = createApiKey('ask', key.slice(4, 20)).text;
  const launch = (
    Adapter: typeof WsAdapter | typeof IoAdapter,
    auth: AuthOptions = {},
  ): Promise<RunningApp> =>
    start(platform, {
      controllers: [MeController],
      providers: [AgentsGateway, NewsGateway],
      options: { auth: { apiKeys: { store: keys.store, secret: SECRET }, ...auth } },
      configure: app => void app.useWebSocketAdapter(new Adapter(app) as never),
    });

  describe('ws', () => {
    const status = async (app: RunningApp, path: string, lines = ''): Promise<unknown[]> => {
      const { answers, text } = await exchange(app.port, handshake(path, lines), 1);
      if (text.startsWith('HTTP/1.1 101 ')) return [101];
      const [answer] = answers;
      return [answer!.status, answer!.json().code, answer!.header('WWW-Authenticate')];
    };
    /** Sends one message and waits for the answer. */
    const exchangeMessage = (
      app: RunningApp,
      path: string,
      event: string,
      protocols: string[],
      headers = {},
    ): Promise<any> => {
      const socket = new WebSocket(`ws://127.0.0.1:${app.port}${path}`, protocols, { headers });
      return new Promise((resolve, reject) => {
        socket.on('open', () => socket.send(JSON.stringify({ event })));
        socket.on('message', (data: Buffer) => {
          resolve([JSON.parse(data.toString()), socket.protocol]);
          socket.terminate();
        });
        socket.on('error', reject);
      });
    };

    test('rejects handshakes like requests', async () => {
      const app = await launch(WsAdapter);
      const challenge = 'Bearer realm="api"';
      expect(await status(app, '/agents')).toEqual([401, 'credential_missing', challenge]);
      const invalid = [401, 'invalid_token', expect.stringContaining('error="invalid_token"')];
      expect(await status(app, '/agents', `X-API-Key: ${forged}\r\n`)).toEqual(invalid);
      expect(await status(app, '/agents', `Sec-WebSocket-Protocol: a, bearer.${forged}\r\n`)).toEqual(
        invalid,
      );
      expect(
        await status(app, '/agents', `X-API-Key: ${key}\r\nSec-WebSocket-Protocol: bearer.${key}\r\n`),
      ).toEqual([400, 'credential_ambiguous', undefined]);
      for (const name of ['token', 'access_token', 'api_key'])
        expect(await status(app, `/agents?${name}=${key}`, `X-API-Key: ${key}\r\n`)).toEqual([
          400,
          'credential_in_url',
          undefined,
        ]);
      expect(app.logger.text).not.toContain(key);
    });

    test('authenticates messages by header and by subprotocol, which is not echoed', async () => {
      const app = await launch(WsAdapter);
      expect(await exchangeMessage(app, '/agents', 'me', [], { 'X-API-Key': key })).toEqual([
        { event: 'me', data: 'bot' },
        '',
      ]);
      expect(await exchangeMessage(app, '/agents', 'me', ['agent.v1', `bearer.${key}`])).toEqual([
        { event: 'me', data: 'bot' },
        'agent.v1',
      ]);
    });

    test('checks the scopes of messages', async () => {
      const app = await launch(WsAdapter);
      const [message] = await exchangeMessage(app, '/agents', 'admin', [], { 'X-API-Key': key });
      expect(message.event).toBe('exception');
    });

    test('a public gateway and a public path need no credential, and reject an invalid one', async () => {
      const app = await launch(WsAdapter);
      expect(await exchangeMessage(app, '/news', 'news', [])).toEqual([{ event: 'news', data: null }, '']);
      expect(await exchangeMessage(app, '/news', 'news', [], { 'X-API-Key': key })).toEqual([
        { event: 'news', data: 'bot' },
        '',
      ]);
      expect((await status(app, '/news', `X-API-Key: ${forged}\r\n`))[0]).toBe(401);
      // A subprotocol with another layer's credential is left to the gateway.
      const [, protocol] = await exchangeMessage(app, '/news', 'news', ['bearer.other']);
      expect(protocol).toBe('bearer.other');
      const open = await launch(WsAdapter, { publicPaths: ['/agents'] });
      const [message] = await exchangeMessage(open, '/agents', 'me', []);
      expect(message.event).toBe('exception');
    });
  });

  describe('socket.io', () => {
    const connect = (
      app: RunningApp,
      path: string,
      transport: string,
      extraHeaders = {},
    ): Promise<unknown> => {
      const socket = io(`http://127.0.0.1:${app.port}`, {
        path,
        transports: [transport],
        extraHeaders,
        reconnection: false,
        forceNew: true,
      });
      return new Promise<unknown>(resolve => {
        socket.on('connect', () => {
          socket.emit('me');
          socket.emit('news');
        });
        socket.on('me', data => resolve(data));
        socket.on('news', data => resolve(data));
        socket.on('exception', () => resolve('exception'));
        socket.on('connect_error', () => resolve('rejected'));
      }).finally(() => socket.disconnect());
    };

    test.each(['websocket', 'polling'])('over %s', async transport => {
      const app = await launch(IoAdapter);
      expect(await connect(app, '/agents', transport)).toBe('rejected');
      expect(await connect(app, '/agents', transport, { 'X-API-Key': forged })).toBe('rejected');
      expect(await connect(app, '/agents', transport, { 'X-API-Key': key })).toBe('bot');
      expect(await connect(app, '/news', transport)).toBeNull();
    });

    test('a rejected polling request gets the same problem', async () => {
      const app = await launch(IoAdapter);
      const answer = await app.send('/agents/?EIO=4&transport=polling');
      expect([answer.status, answer.json().code, answer.header('WWW-Authenticate')]).toEqual([
        401,
        'credential_missing',
        'Bearer realm="api"',
      ]);
    });
  });
});
