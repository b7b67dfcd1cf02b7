/* MCP sessions belong to the agent that opened them. */
import { All, Controller, Req, Res } from '@nestjs/common';
import {
  type PlatformRequest,
  type PlatformResponse,
  rawRequest,
  rawResponse,
} from '../../src/common/http-request.js';
import type { Answer } from '../support/http.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { calls, JSON_HEADERS, MCP_SERVERS } from '../support/mcp.js';
import { type Platform, PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

type Options = NonNullable<AppParts['options']>;

interface Secured extends RunningApp {
  /** Sends a message, or nothing, as an agent. */
  as(agent: Agent, method: string, session: string | undefined, body?: string): Promise<Answer>;
}
type Agent = 'one' | 'two' | 'anonymous';

async function startSecured(platform: Platform, parts: AppParts, options: Options = {}): Promise<Secured> {
  const book = new TestKeys();
  const keys = { one: book.add('one').key, two: book.add('two').key };
  const running = await start(platform, {
    ...parts,
    options: {
      rateLimit: { limits: false, flood: false },
      mcp: {},
      auth: { apiKeys: { store: book.store, secret: SECRET } },
      ...options,
    },
  });
  return {
    ...running,
    as: (agent, method, session, body) =>
      running.send('/mcp', {
        method,
        headers: {
          ...(body === undefined ? { Accept: 'text/event-stream' } : JSON_HEADERS),
          ...(agent === 'anonymous' ? {} : { 'X-API-Key': keys[agent] }),
          ...(session === undefined ? {} : { 'Mcp-Session-Id': session }),
        },
        headersOnly: method === 'GET',
        ...(body === undefined ? {} : { body }),
      }),
  };
}

const message = (method: string, params: object = {}, id: number | string = 1): string =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params });
const INITIALIZE = message('initialize', {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'x', version: '1' },
});
const INITIALIZED = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
const CALL = message('tools/call', { name: 'read_file', arguments: {} });

const SESSION_SERVERS = MCP_SERVERS.filter(([title]) => title.includes('sessions'));

async function openSession(app: Secured, agent: Agent): Promise<string> {
  const opened = await app.as(agent, 'POST', undefined, INITIALIZE);
  expect(opened.status).toBe(200);
  const session = opened.header('mcp-session-id')!;
  expect((await app.as(agent, 'POST', session, INITIALIZED)).status).toBe(202);
  return session;
}

/** What an answer says, without what differs from request to request. */
const saysOf = (answer: Answer): unknown => {
  const { id, error } = answer.json() as { id: unknown; error: { data: object } };
  return [answer.status, id, { ...error, data: { ...error.data, requestId: '' } }];
};

describe.each(PLATFORMS)('a session on %s', (_title, platform) => {
  describe.each(SESSION_SERVERS)('of %s', (_server, { parts }) => {
    it('is unknown to every agent but the one that opened it', async () => {
      const app = await startSecured(platform, parts);
      const session = await openSession(app, 'one');
      const unknown = saysOf(await app.as('two', 'POST', 'a-session-that-never-was', CALL));
      expect(unknown).toMatchObject([404, 1, { code: -32001, data: { code: 'mcp_session_unknown' } }]);
      for (const body of [CALL, INITIALIZE])
        expect(saysOf(await app.as('two', 'POST', session, body))).toEqual(unknown);
      const undeleted = await app.as('two', 'DELETE', session);
      expect(saysOf(undeleted)).toMatchObject([404, null, { data: { code: 'mcp_session_unknown' } }]);
      expect((await app.as('two', 'GET', session)).status).toBe(404);
      expect(calls).toEqual([]);
      // It has not been deleted, and goes on.
      expect((await app.as('one', 'POST', session, CALL)).status).toBe(200);
      expect(calls).toEqual(['read_file']);
      expect((await app.as('one', 'GET', session)).status).toBe(200);
      expect((await app.as('one', 'DELETE', session)).status).toBe(200);
      expect((await app.as('one', 'POST', session, CALL)).status).toBe(404);
    });

    it('is not opened by the server’s own ID, nor by a signature of another session', async () => {
      const app = await startSecured(platform, parts);
      const session = await openSession(app, 'one');
      const other = await openSession(app, 'two');
      const [id, signature] = [
        session.slice(0, session.lastIndexOf('.')),
        other.slice(other.lastIndexOf('.')),
      ];
      for (const guess of [
        id,
        `${id}.`,
        `${id}${signature}`,
        `${session}, ${session}`,
        `${session}x`,
        '.',
        '',
      ])
        expect((await app.as('two', 'POST', guess, CALL)).status).toBe(404);
      expect((await app.as('one', 'POST', `${id}${signature}`, CALL)).status).toBe(404);
      expect(calls).toEqual([]);
    });

    it('of a client without a credential belongs to no agent', async () => {
      const app = await startSecured(platform, parts, { mcp: { publicTools: ['read_*'] } });
      const session = await openSession(app, 'anonymous');
      expect((await app.as('one', 'POST', session, CALL)).status).toBe(404);
      expect((await app.as('anonymous', 'POST', session, CALL)).status).toBe(200);
      const own = await openSession(app, 'one');
      expect((await app.as('anonymous', 'POST', own, CALL)).status).toBe(404);
    });

    it('is left alone where no agents are known', async () => {
      const app = await startSecured(platform, parts, { auth: false });
      const session = await openSession(app, 'anonymous');
      expect(session).not.toContain('.');
      expect((await app.as('anonymous', 'POST', session, CALL)).status).toBe(200);
    });
  });

  describe('as the server sees it', () => {
    const seen: { header: unknown; raw: string[] }[] = [];
    let respond: (response: ReturnType<typeof rawResponse>, body: { id: unknown; method: string }) => void;
    beforeEach(() => void seen.splice(0));

    @Controller()
    class SessionController {
      @All('mcp')
      answer(@Req() request: PlatformRequest, @Res() response: PlatformResponse): void {
        response.hijack?.();
        const raw = rawRequest(request);
        seen.push({
          header: request.headers['mcp-session-id'],
          raw: raw.rawHeaders.filter((_text, index, all) =>
            /^mcp-session-id$/i.test(all[index - (index % 2)]!),
          ),
        });
        respond(rawResponse(response), (request.body ?? {}) as never);
      }
    }
    const parts: AppParts = { controllers: [SessionController] };
    const answerOf = (id: unknown): string => JSON.stringify({ jsonrpc: '2.0', id, result: {} });
    type Head = [title: string, write: (response: ReturnType<typeof rawResponse>) => void];
    const TYPE = ['Content-Type', 'application/json'] as const;
    const HEADS: Head[] = [
      ['an object', response => response.writeHead(200, { [TYPE[0]]: TYPE[1], 'mcp-session-id': 'the.id' })],
      ['an object and a reason', response => response.writeHead(200, 'Good', { 'MCP-Session-ID': 'the.id' })],
      ['a list', response => response.writeHead(200, [...TYPE, 'Mcp-Session-Id', 'the.id'])],
      ['setHeader', response => response.setHeader('mcp-session-id', 'the.id')],
      [
        'setHeader and flushHeaders',
        response => response.setHeader('mcp-session-id', 'the.id').flushHeaders(),
      ],
    ];
    it.each(HEADS)('has the server’s own ID, whether it is written by %s', async (_head, write) => {
      respond = (response, { id }) => {
        write(response);
        response.end(answerOf(id));
      };
      const app = await startSecured(platform, parts);
      const opened = await app.as('one', 'POST', undefined, INITIALIZE);
      const session = opened.header('mcp-session-id')!;
      expect([opened.status, opened.json()]).toEqual([200, { jsonrpc: '2.0', id: 1, result: {} }]);
      expect(session).toMatch(/^the\.id\.[\w-]{43}$/);
      const listed = await app.as('one', 'POST', session, message('tools/list'));
      expect(listed.header('mcp-session-id')).toBe(session);
      expect((await app.as('one', 'DELETE', session)).header('mcp-session-id')).toBe(session);
      const own = { header: 'the.id', raw: ['mcp-session-id', 'the.id'] };
      expect(seen).toEqual([{ header: undefined, raw: [] }, own, own]);
    });

    it('keeps tools that the agent may not call out of every answer', async () => {
      const tools = [{ name: 'read_file' }, { name: 'delete_user' }];
      respond = (response, { id }) => {
        response.setHeader('mcp-session-id', 'x');
        response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { tools } }));
      };
      const app = await startSecured(platform, parts, { tools: { allow: { one: ['read_*'] } } });
      const session = (await app.as('one', 'POST', undefined, INITIALIZE)).header('mcp-session-id');
      for (const method of ['ping', 'tools/list'])
        expect((await app.as('one', 'POST', session, message(method))).json()).toMatchObject({
          result: { tools: [{ name: 'read_file' }] },
        });
    });

    it('has no two requests of one ID in flight', async () => {
      const waiting: (() => void)[] = [];
      const arrivals: (() => void)[] = [];
      respond = (response, { id, method }) => {
        response.setHeader('mcp-session-id', 'x');
        if (method === 'initialize') return void response.end(answerOf(id));
        waiting.push(() => response.end(answerOf(id)));
        arrivals.shift()?.();
      };
      const app = await startSecured(platform, parts);
      const openOne = async (agent: Agent): Promise<string> =>
        (await app.as(agent, 'POST', undefined, INITIALIZE)).header('mcp-session-id')!;
      const session = await openOne('one');
      const arrived = new Promise<void>(resolve => arrivals.push(resolve));
      const first = app.as('one', 'POST', session, CALL);
      await arrived;
      const second = await app.as('one', 'POST', session, message('ping'));
      expect([second.status, second.json()]).toMatchObject([400, { id: 1, error: { code: -32600 } }]);
      const batch = await app.as(
        'one',
        'POST',
        session,
        `[${message('ping', {}, 2)},${message('ping', {}, 1)}]`,
      );
      expect(batch.status).toBe(400);
      // A text is another ID than a number, and a rejected batch reserves none.
      for (const id of ['1', 2]) {
        const also = new Promise<void>(resolve => arrivals.push(resolve));
        const other = app.as('one', 'POST', session, message('ping', {}, id));
        await also;
        waiting.pop()!();
        expect((await other).status).toBe(200);
      }
      waiting.pop()!();
      expect((await first).status).toBe(200);
      const again = app.as('one', 'POST', session, CALL);
      await new Promise<void>(resolve => (waiting.length > 0 ? resolve() : arrivals.push(resolve)));
      waiting.pop()!();
      expect((await again).status).toBe(200);
    });
  });
});
