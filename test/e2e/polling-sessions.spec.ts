/* Sessions of socket.io's HTTP polling belong to the agent that has opened them. */
import type { INestApplication } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { Socket } from 'socket.io';
import { WebSocket } from 'ws';
import { type Agent, CurrentAgent, Public } from '../../src/index.js';
import type { Answer } from '../support/http.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

let heard: unknown[] = [];
beforeEach(() => void (heard = []));

class Handlers implements OnGatewayConnection {
  handleConnection(client: Socket): void {
    // Past every guard, as many gateways listen.
    client.on('raw', text => heard.push(['raw', text]));
  }

  @SubscribeMessage('who')
  who(@CurrentAgent() agent: Agent | undefined): object {
    heard.push(['who', agent?.id]);
    return { event: 'who', data: agent?.id ?? null };
  }
}

@WebSocketGateway({ path: '/ws' })
class Gateway extends Handlers {}

@WebSocketGateway({ path: '/ws' })
@Public()
class PublicGateway extends Handlers {}

@WebSocketGateway({ path: '/ws', addTrailingSlash: false })
class BareGateway extends Handlers {}

/** An adapter of an app's own, with a path that no decorator names. */
class OwnAdapter extends IoAdapter {
  override createIOServer(port: number, options?: object): any {
    return super.createIOServer(port, { ...options, path: '/own' } as never);
  }
}

describe.each(PLATFORMS)('%s', (_title, platform) => {
  const keys = new TestKeys();
  const alice = keys.add('alice').key;
  const aliceNext = keys.add('alice').key;
  const mallory = keys.add('mallory').key;
  let app: RunningApp;
  const launch = async (
    gateway: new () => object = Gateway,
    Adapter: new (app: INestApplication) => IoAdapter = IoAdapter,
    options: AppParts['options'] = {},
  ): Promise<void> => {
    app = await start(platform, {
      providers: [gateway],
      configure: created => void created.useWebSocketAdapter(new Adapter(created)),
      options: {
        rateLimit: { flood: false },
        auth: { apiKeys: { store: keys.store, secret: SECRET } },
        ...options,
      },
    });
  };
  const as = (key: string | undefined): Record<string, string> =>
    key === undefined ? {} : { 'X-API-Key': key };
  const BASE = '/ws/?EIO=4&transport=polling';
  const poll = (key: string | undefined, sid = '', base = BASE): Promise<Answer> =>
    app.send(`${base}${sid}`, { headers: as(key) });
  const post = (key: string | undefined, sid: string, body: string, base = BASE): Promise<Answer> =>
    app.send(`${base}${sid}`, { headers: { ...as(key), 'Content-Type': 'text/plain' }, body });
  /** Opens a session, connected to the namespace. @returns the parameter that names it */
  const openSession = async (key: string | undefined, base = BASE): Promise<string> => {
    const opened = await poll(key, '', base);
    expect([opened.status, opened.body]).toEqual([200, expect.stringMatching(/^0\{/)]);
    const sid = `&sid=${JSON.parse(opened.body.slice(1)).sid}`;
    expect((await post(key, sid, '40', base)).status).toBe(200);
    expect((await poll(key, sid, base)).body).toMatch(/^40\{/);
    return sid;
  };
  const WHO = '42["who"]\x1e42["raw","x"]';
  const seen = ({ status, body, lines }: Answer): unknown => {
    const { requestId: _id, ...problem } = JSON.parse(body);
    return [status, problem, lines.map(([name]) => name).toSorted()];
  };

  it('serves the agent that opened a session, with any of its keys', async () => {
    await launch();
    const sid = await openSession(alice);
    expect((await post(alice, sid, WHO)).status).toBe(200);
    expect((await poll(aliceNext, sid)).body).toBe('42["who","alice"]');
    expect(new Set(heard)).toEqual(
      new Set([
        ['who', 'alice'],
        ['raw', 'x'],
      ]),
    );
  });

  it('answers another agent as if the session did not exist', async () => {
    await launch();
    const sid = await openSession(alice);
    const unknown = '&sid=AAAAAAAAAAAAAAAAAAAA';
    const answers = [await post(mallory, sid, WHO), await poll(mallory, sid)];
    expect(answers.map(seen)).toEqual([
      seen(await post(mallory, unknown, WHO)),
      seen(await poll(mallory, unknown)),
    ]);
    expect(answers[0]!.json()).toMatchObject({ status: 400, code: 'session_unknown' });
    expect(heard).toEqual([]);
    expect((await post(alice, sid, WHO)).status).toBe(200);
    expect((await poll(alice, sid)).body).toBe('42["who","alice"]');
  });

  const spellings: [title: string, target: (sid: string, own: string) => string][] = [
    ['twice, the own one first', (sid, own) => `${BASE}${own}${sid}`],
    ['in escapes', sid => `${BASE}&%73id=${sid.slice(5)}`],
    ['with escapes in it', sid => `${BASE}&sid=%${sid.charCodeAt(5).toString(16)}${sid.slice(6)}`],
    ['before the query', sid => `/ws/?${sid.slice(1)}&EIO=4&transport=polling`],
    ['before a fragment with the own one', (sid, own) => `${BASE}${sid}#?${own}`],
  ];
  it.each(spellings)('reads the session of a target as socket.io does: %s', async (_spelling, target) => {
    await launch();
    const [sid, own] = [await openSession(alice), await openSession(mallory)];
    expect((await post(mallory, '', WHO, target(sid, own))).status).toBe(400);
    expect(heard).toEqual([]);
  });

  it.each([
    ['another agent', mallory, 400],
    ['its own agent', alice, 101],
  ])('lets %s upgrade a session: %#', async (_who, key, status) => {
    await launch();
    const sid = await openSession(alice);
    const socket = new WebSocket(`ws://127.0.0.1:${app.port}/ws/?EIO=4&transport=websocket${sid}`, {
      headers: as(key),
    });
    const answered = await new Promise(resolve => {
      socket.on('open', () => resolve(101));
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
      socket.on('error', () => undefined);
    });
    socket.terminate();
    expect(answered).toBe(status);
  });

  it('keeps sessions without an agent apart from those with one', async () => {
    await launch(PublicGateway);
    const [open, own] = [await openSession(undefined), await openSession(alice)];
    for (const [key, sid, status] of [
      [undefined, open, 200],
      [alice, own, 200],
      [undefined, own, 400],
      [mallory, open, 400],
    ] as const)
      expect((await post(key, sid, WHO)).status).toBe(status);
  });

  it('requires a credential before it reads the session', async () => {
    await launch();
    const sid = await openSession(alice);
    expect((await post(undefined, sid, WHO)).status).toBe(401);
    expect(heard).toEqual([]);
  });

  it.each([
    ['a path without its slash', BareGateway, IoAdapter, '/ws?EIO=4&transport=polling'],
    ['a path that begins alike', BareGateway, IoAdapter, '/wsx?EIO=4&transport=polling'],
    ['a path that the adapter chose', Gateway, OwnAdapter, '/own/?EIO=4&transport=polling'],
  ] as const)('authenticates polling on %s', async (_path, gateway, Adapter, base) => {
    await launch(gateway, Adapter);
    const answer = await poll(undefined, '', base);
    expect([answer.status, answer.json().code]).toEqual([401, 'credential_missing']);
    const sid = await openSession(alice, base);
    expect((await post(mallory, sid, WHO, base)).status).toBe(400);
    expect(heard).toEqual([]);
  });

  it('does not separate sessions without auth', async () => {
    await launch(Gateway, IoAdapter, { auth: false });
    const sid = await openSession(undefined);
    expect((await post(undefined, sid, '42["raw","x"]')).status).toBe(200);
    expect((await poll(undefined, '&sid=AAAAAAAAAAAAAAAAAAAA')).json()).toEqual({
      code: 1,
      message: 'Session ID unknown',
    });
  });
});
