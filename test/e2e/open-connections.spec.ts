/* Open connections whose credential is revoked or expires: messages on them are rejected, and they are closed. */
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { Controller, Get, type MessageEvent, Res, Sse, StreamableFile } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { concat, NEVER, type Observable, of } from 'rxjs';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { OpenConnections } from '../../src/auth/open-connections.js';
import {
  AgentTool,
  type ApiKeyStore,
  type AuthOptions,
  type KeyBook,
  Public,
  revokeKey,
  Scopes,
  type SecurityEvent,
  SecurityEvents,
  setAgentDisabled,
  TIMERS,
} from '../../src/index.js';
import { NOW_MS, SECRET, TestKeys } from '../support/keys.js';
import { SESSION_SERVER } from '../support/mcp.js';
import { FASTIFY, PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';
import { ManualTimers } from '../support/timers.js';
import { EC, ISSUER, OTHER_EC, sign } from '../tokens/support.js';

let calls: string[] = [];
let waiting: { raw?: { end(text: string): void }; end(text: string): void }[] = [];

@WebSocketGateway({ path: '/ws' })
class Gateway {
  @AgentTool('delete_user', { impact: 'high' })
  @SubscribeMessage('delete')
  delete(): unknown {
    calls.push('delete');
    return { event: 'delete', data: 'deleted' };
  }

  @Public()
  @SubscribeMessage('news')
  news(): unknown {
    calls.push('news');
    return { event: 'news', data: 'news' };
  }

  @Scopes('admin')
  @SubscribeMessage('admin')
  admin(): unknown {
    calls.push('admin');
    return { event: 'admin', data: 'done' };
  }
}

@Controller()
class Streams {
  @Sse('events')
  events(): Observable<MessageEvent> {
    return concat(of({ data: 'first' }), NEVER);
  }

  @Get('download')
  download(): StreamableFile {
    const stream = new PassThrough();
    stream.write('part');
    return new StreamableFile(stream);
  }

  /** Answers when the test says so. */
  @Get('slow')
  slow(@Res() response: (typeof waiting)[number]): void {
    waiting.push(response);
  }

  @Get('plain')
  plain(): string {
    return 'plain';
  }
}

const open: { terminate(): void }[] = [];
beforeEach(() => {
  calls = [];
  waiting = [];
});
afterEach(() => {
  for (const each of open.splice(0)) each.terminate();
});

/** An asynchronous store that creates a record for each call and reports no changes. */
class RemoteStore implements ApiKeyStore {
  answers: 'in time' | 'never' | 'with an error' = 'in time';
  lookups = 0;

  constructor(private readonly keys: TestKeys) {}

  find = async (id: string) => {
    this.lookups++;
    await Promise.resolve();
    if (this.answers === 'with an error') throw new Error('away');
    if (this.answers === 'never') await new Promise(() => undefined);
    const record = this.keys.store.find(id);
    return record && { ...record };
  };
}

interface Stream {
  readonly status: number;
  /** What has come, once the connection is closed. */
  readonly closed: Promise<string>;
  isClosed(): boolean;
}

describe.each(PLATFORMS)('%s', (_title, platform) => {
  let keys: TestKeys;
  let key: string;
  let id: string;
  let other: string;
  let timers: ManualTimers;
  let app: RunningApp;
  let events: SecurityEvent<'auth.closed'>[];
  beforeEach(() => {
    keys = new TestKeys();
    ({ key, id } = keys.add('bot', { scopes: ['admin'] }, { expiresMs: NOW_MS + 3_600_000 }));
    other = keys.add('other').key;
    timers = new ManualTimers();
    events = [];
  });

  const launch = async (auth: AuthOptions = {}, parts: AppParts = {}): Promise<void> => {
    app = await start(platform, {
      controllers: [Streams],
      providers: [Gateway],
      configure: created => void created.useWebSocketAdapter(new WsAdapter(created)),
      ...parts,
      options: {
        rateLimit: { limits: '1000/minute', flood: false },
        audit: false,
        ...parts.options,
        auth: { apiKeys: { store: keys.store, secret: SECRET }, ...auth },
      },
      extras: { providers: [{ provide: TIMERS, useValue: timers }] },
    });
    app.app.get(SecurityEvents).on('auth.closed', event => void events.push(event));
  };
  const followed = (): number => app.app.get(OpenConnections, { strict: false }).size;
  const change = (by: (book: KeyBook) => KeyBook): void => keys.set(by(keys.book));
  const revoke = (): void => change(book => revokeKey(book, id, NOW_MS));
  /** What the next check would do. */
  const tick = (): void => timers.advance(1_000);

  const connectWs = async (credential: string): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://127.0.0.1:${app.port}/ws`, {
      headers: { Authorization: `Bearer ${credential}` },
    });
    open.push(socket);
    await once(socket, 'open');
    return socket;
  };
  const request = async (socket: WebSocket, event: string): Promise<any> => {
    socket.send(JSON.stringify({ event, data: 'x' }));
    const [text] = (await once(socket, 'message')) as [Buffer];
    return JSON.parse(text.toString());
  };
  const closing = (socket: WebSocket): Promise<unknown> =>
    once(socket, 'close').then(([code, reason]) => [code, String(reason)]);

  const openStream = async (path: string, headers: Record<string, string>): Promise<Stream> => {
    const outgoing: ClientRequest = httpRequest({
      host: '127.0.0.1',
      port: app.port,
      path,
      headers,
      agent: false,
    });
    open.push({ terminate: () => outgoing.destroy() });
    const started = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    outgoing.end();
    const [response] = await started;
    let text = '';
    let isClosed = false;
    response.on('data', (part: Buffer) => (text += part.toString()));
    response.on('error', () => undefined);
    const closed = new Promise<string>(resolve => {
      response.on('close', () => {
        isClosed = true;
        resolve(text);
      });
    });
    return { status: response.statusCode!, closed, isClosed: () => isClosed };
  };
  const bearer = (credential: string): Record<string, string> => ({ Authorization: `Bearer ${credential}` });

  /** Every way in which an identity ends, and what ends it. */
  type Ending = [title: string, reason: 'revoked' | 'expired', begin: () => Promise<string>, end: () => void];
  const withTokens = async (): Promise<string> => {
    await launch({
      resource: 'https://api.example.com',
      tokens: { issuer: ISSUER, algorithms: ['ES256'], keys: EC.publicKey },
    });
    return sign({ claims: { sub: 'bot', exp: NOW_MS / 1_000 + 60 } });
  };
  let signingKeys: KeyObject[];
  const withOwnTokens = async (): Promise<string> => {
    const issuer = 'https://api.example.com';
    signingKeys = [EC.privateKey];
    await launch({ tokenEndpoint: { issuer, signingKeys: () => signingKeys } });
    const answer = await app.send('/oauth/token', {
      body: `grant_type=client_credentials&client_id=bot&client_secret=${key}`,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });
    return answer.json().access_token as string;
  };
  const withKeys = async (): Promise<string> => {
    await launch();
    return key;
  };
  const endings: Ending[] = [
    ['a key that is revoked', 'revoked', withKeys, () => revoke()],
    [
      'a key that is removed',
      'revoked',
      withKeys,
      () => change(book => ({ ...book, keys: book.keys.filter(each => each.id !== id) })),
    ],
    [
      'a key whose agent is disabled',
      'revoked',
      withKeys,
      () => change(book => setAgentDisabled(book, 'bot', true)),
    ],
    ['a key that expires', 'expired', withKeys, () => app.clock.advance(3_600_000)],
    ['a token that expires', 'expired', withTokens, () => app.clock.advance(60_000)],
    [
      'a token whose agent is disabled',
      'revoked',
      withTokens,
      () => change(book => setAgentDisabled(book, 'bot', true)),
    ],
    ['a token of the own endpoint that expires', 'expired', withOwnTokens, () => app.clock.advance(600_000)],
    ['a token of the own endpoint whose key is revoked', 'revoked', withOwnTokens, () => revoke()],
    [
      'a token whose signing key is withdrawn',
      'revoked',
      withOwnTokens,
      () => {
        signingKeys = [OTHER_EC.privateKey];
        app.clock.advance(10_000);
      },
    ],
  ];

  describe.each(endings)('%s', (_ending, reason, begin, end) => {
    it('cannot send messages on a WebSocket, and the socket is closed within a second', async () => {
      const socket = await connectWs(await begin());
      const unrelated = await connectWs(other);
      expect((await request(socket, 'delete')).data).toBe('deleted');
      tick();
      expect((await request(socket, 'delete')).data).toBe('deleted');
      const closed = closing(socket);
      end();
      tick();
      const text = reason === 'revoked' ? 'The credential was revoked.' : 'The credential has expired.';
      expect(await closed).toEqual([1008, text]);
      expect(events).toEqual([
        expect.objectContaining({ agent: 'bot', reason, connection: 'websocket', address: '127.0.0.1' }),
      ]);
      expect((await request(unrelated, 'news')).data).toBe('news');
    });

    it.each(['/events', '/download'])('does not keep the stream of %s open for longer', async path => {
      const stream = await openStream(path, bearer(await begin()));
      const unrelated = await openStream(path, bearer(other));
      tick();
      expect([stream.status, stream.isClosed()]).toEqual([200, false]);
      end();
      tick();
      expect(await stream.closed).toMatch(/first|part/);
      expect(events).toMatchObject([{ agent: 'bot', reason, connection: 'response' }]);
      expect(unrelated.isClosed()).toBe(false);
    });
  });

  it('rejects each message of a revoked key before the socket is closed, whatever store it comes from', async () => {
    const store = new RemoteStore(keys);
    await launch({ apiKeys: { store, secret: SECRET } });
    const socket = await connectWs(key);
    expect((await request(socket, 'delete')).data).toBe('deleted');
    change(book => setAgentDisabled(book, 'bot', true));
    for (const event of ['delete', 'news', 'admin']) {
      expect(await request(socket, event)).toMatchObject({
        event: 'exception',
        data: { statusCode: 401, code: 'invalid_token' },
      });
    }
    expect(calls).toEqual(['delete']);
    change(book => setAgentDisabled(book, 'bot', false));
    expect((await request(socket, 'delete')).data).toBe('deleted');
  });

  it('rejects messages after the expiry of a key, to the millisecond', async () => {
    await launch();
    const socket = await connectWs(key);
    app.clock.advance(3_599_999);
    expect((await request(socket, 'delete')).data).toBe('deleted');
    app.clock.advance(1);
    expect(await request(socket, 'delete')).toMatchObject({ data: { statusCode: 401 } });
    expect(calls).toEqual(['delete']);
  });

  it('removes a scope from open sockets with the next message', async () => {
    await launch();
    const socket = await connectWs(key);
    expect((await request(socket, 'admin')).data).toBe('done');
    change(({ agents, ...rest }) => ({ ...rest, agents: { ...agents, bot: { scopes: [] } } }));
    expect(await request(socket, 'admin')).toMatchObject({ data: { code: 'insufficient_scope' } });
    expect(calls).toEqual(['admin']);
  });

  it('does not accept the key of another agent, or another secret, for the key that opened the socket', async () => {
    await launch();
    const [one, two] = [await connectWs(key), await connectWs(other)];
    const [first, second] = [closing(one), closing(two)];
    change(({ agents, keys: [mine, theirs] }) => ({
      agents,
      keys: [
        { ...mine!, agent: 'other' },
        { ...theirs!, digest: mine!.digest },
      ],
    }));
    tick();
    expect(await Promise.all([first, second])).toEqual([
      [1008, 'The credential was revoked.'],
      [1008, 'The credential was revoked.'],
    ]);
  });

  describe.each(['websocket', 'polling'])('socket.io over %s', transport => {
    it('is disconnected', async () => {
      await launch({}, { configure: created => void created.useWebSocketAdapter(new IoAdapter(created)) });
      const socket = io(`http://127.0.0.1:${app.port}`, {
        path: '/ws',
        transports: [transport],
        extraHeaders: bearer(key),
        reconnection: false,
        forceNew: true,
      });
      open.push({ terminate: () => socket.close() });
      await new Promise(resolve => socket.once('connect', () => resolve(undefined)));
      const emit = (event: string): Promise<unknown> =>
        new Promise(resolve => {
          socket.once('delete', resolve);
          socket.once('exception', resolve);
          socket.emit(event, 'x');
        });
      expect(await emit('delete')).toBe('deleted');
      const disconnected = new Promise(resolve => socket.once('disconnect', resolve));
      app.clock.advance(3_600_000);
      tick();
      expect(await disconnected).toMatch(/^transport/);
      expect(calls).toEqual(['delete']);
    });
  });

  it('closes the GET stream of an MCP session', async () => {
    await launch({}, { ...SESSION_SERVER.parts, options: { mcp: { path: '/mcp' } } });
    const headers = {
      ...bearer(key),
      Accept: 'application/json, text/event-stream',
      'Content-Type': 'application/json',
      'MCP-Protocol-Version': '2025-11-25',
    };
    const initialize = {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'test', version: '1.0.0' },
      },
    };
    const answer = await app.send('/mcp', { body: JSON.stringify(initialize), headers });
    const session = answer.header('Mcp-Session-Id')!;
    const stream = await openStream('/mcp', { ...headers, 'Mcp-Session-Id': session });
    expect([answer.status, stream.status]).toEqual([200, 200]);
    tick();
    expect(stream.isClosed()).toBe(false);
    revoke();
    tick();
    await stream.closed;
    expect(events).toMatchObject([{ agent: 'bot', reason: 'revoked' }]);
  });

  describe('a pending request', () => {
    const started = async (): Promise<void> => {
      while (waiting.length === 0) await new Promise(resolve => setImmediate(resolve));
    };
    const answer = (): void => {
      for (const each of waiting) (each.raw ?? each).end('slow');
    };

    it('is answered if its key expires meanwhile', async () => {
      await launch();
      const slow = app.send('/slow', { headers: bearer(key) });
      await started();
      app.clock.advance(3_600_000);
      tick();
      tick();
      answer();
      expect((await slow).body).toBe('slow');
      expect(events).toEqual([]);
    });

    it('is aborted when its key is revoked', async () => {
      await launch();
      const slow = app.send('/slow', { headers: bearer(key) });
      await started();
      revoke();
      await expect(slow).rejects.toThrow(/hang up|ECONNRESET/);
    });
  });

  it('closes a stream that is followed by pipelined requests of another agent', async () => {
    await launch();
    const socket = connect(app.port, '127.0.0.1');
    open.push({ terminate: () => socket.destroy() });
    const head = (path: string, credential: string): string =>
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${credential}\r\n\r\n`;
    socket.on('error', () => undefined);
    socket.write(head('/events', key));
    await once(socket, 'data');
    socket.write(head('/plain', other) + head('/events', other));
    while (followed() < 1) await new Promise(resolve => setImmediate(resolve));
    await app.send('/plain', { headers: bearer(other) });
    tick();
    const closed = once(socket, 'close');
    revoke();
    await closed;
    expect(events).toMatchObject([{ agent: 'bot', reason: 'revoked' }]);
  });

  describe('an asynchronous store', () => {
    it('is called once a second per key, however many connections it has', async () => {
      const store = new RemoteStore(keys);
      await launch({ apiKeys: { store, secret: SECRET } });
      const sockets = await Promise.all(Array.from({ length: 5 }, () => connectWs(key)));
      store.lookups = 0;
      tick();
      expect(store.lookups).toBe(1);
      await new Promise(resolve => setImmediate(resolve));
      const closed = sockets.map(closing);
      revoke();
      tick();
      expect(store.lookups).toBe(2);
      expect(await Promise.all(closed)).toHaveLength(5);
    });

    it.each(['never', 'with an error'] as const)(
      'and answers %s keeps connections open for ten seconds',
      async answers => {
        const store = new RemoteStore(keys);
        await launch({ apiKeys: { store, secret: SECRET } });
        const socket = await connectWs(key);
        const closed = closing(socket);
        store.answers = answers;
        for (let second = 0; second <= 10; second++) {
          tick();
          await new Promise(resolve => setImmediate(resolve));
          expect(events).toEqual([]);
          app.clock.advance(1_000);
        }
        tick();
        expect(await closed).toEqual([1008, 'The credential cannot be verified.']);
        expect(events).toMatchObject([{ reason: 'unavailable' }]);
      },
    );
  });

  it('releases requests and connections that have ended, and stops its timer', async () => {
    await launch();
    for (let count = 0; count < 3; count++) await app.send('/plain', { headers: bearer(key) });
    await app.send('/plain');
    const socket = await connectWs(key);
    const stream = await openStream('/events', bearer(key));
    expect(followed()).toBeGreaterThanOrEqual(2);
    tick();
    expect(followed()).toBe(2);
    socket.terminate();
    open.splice(0).forEach(each => each.terminate());
    await stream.closed;
    while (followed() > 0) await new Promise(resolve => setImmediate(resolve));
    tick();
    expect([followed(), timers.size]).toEqual([0, 0]);
  });

  it('releases an idle kept-alive connection, and tracks it again', async () => {
    await launch();
    const socket = connect(app.port, '127.0.0.1');
    open.push({ terminate: () => socket.destroy() });
    const plain = `GET /plain HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${key}\r\n\r\n`;
    for (let count = 0; count < 3; count++) {
      socket.write(plain);
      await once(socket, 'data');
      expect(followed()).toBe(1);
      tick();
      expect(followed()).toBe(0);
    }
    expect(socket.destroyed).toBe(false);
  });
});

it('closes one stream of an HTTP/2 session and keeps the others', async () => {
  const keys = new TestKeys();
  const { key, id } = keys.add('bot');
  const other = keys.add('other').key;
  const app = await start(FASTIFY, {
    adapter: () => new FastifyAdapter({ http2: true } as never),
    controllers: [Streams],
    options: { auth: { apiKeys: { store: keys.store, secret: SECRET } } },
    extras: { providers: [{ provide: TIMERS, useValue: new ManualTimers() }] },
  });
  const session = connectHttp2(`http://127.0.0.1:${app.port}`);
  const streams = [key, other].map(credential =>
    session
      .request({ ':path': '/events', authorization: `Bearer ${credential}` })
      .on('error', () => undefined),
  );
  for (const stream of streams) await once(stream, 'data');
  const closed = once(streams[0]!.resume(), 'close');
  keys.set(revokeKey(keys.book, id, NOW_MS));
  await closed;
  const plain = session.request({ ':path': '/plain', authorization: `Bearer ${other}` });
  expect(String(await once(plain, 'data'))).toBe('plain');
  expect(streams[1]!.closed).toBe(false);
  session.destroy();
});
