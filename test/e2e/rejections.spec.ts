/* Each code of a problem is one event and one log line, on both platforms. A code that is added needs a row here, or this does not compile. */
import { EventEmitter, once } from 'node:events';
import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  type ExceptionFilter,
  ForbiddenException,
  Get,
  HttpException,
  Param,
  Post,
  ValidationPipe,
} from '@nestjs/common';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { APP_FILTER } from '@nestjs/core';
import { GraphQLModule, Int, Query, Resolver } from '@nestjs/graphql';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { IsEmail } from 'class-validator';
import { WebSocket } from 'ws';
import {
  AgentTool,
  type AuditSink,
  PrivateNetworkOnly,
  type ProblemCode,
  Public,
  RateLimit,
  SafePathPipe,
  Scopes,
  type SecurityEvent,
  SecurityEvents,
  type SecurityEventType,
  Timeout,
} from '../../src/index.js';
import { REQUEST_ENDED } from '../../src/common/response-end.js';
import { ProblemException } from '../../src/http/problem.exception.js';
import { exchange, request, requestHttp2 } from '../support/http.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { EXPRESS, FASTIFY, type Platform, PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

class SignUp {
  @IsEmail()
  email!: string;
}

@Controller()
class Routes {
  @Get()
  get(): string {
    return 'served';
  }

  @Post()
  post(): string {
    return 'served';
  }

  @Get('public')
  @Public()
  publicly(): string {
    return 'served';
  }

  @Get('limited')
  @RateLimit('1/minute')
  limited(): string {
    return 'served';
  }

  @Get('unknown-limit')
  @RateLimit({
    limit: () => {
      throw new Error('no plan');
    },
  })
  unknownLimit(): string {
    return 'served';
  }

  @Get('private')
  @PrivateNetworkOnly()
  privately(): string {
    return 'served';
  }

  @Get('tool')
  @AgentTool('read_all', { impact: 'high' })
  tool(): string {
    return 'served';
  }

  @Get('files/:name')
  files(@Param('name', new SafePathPipe({ root: __dirname })) name: string): string {
    return name;
  }

  @Get('ended')
  ended(): never {
    throw new ProblemException(REQUEST_ENDED);
  }

  @Get('slow')
  @Timeout('5ms')
  slow(): Promise<never> {
    return new Promise(() => undefined);
  }

  @Get('broken')
  broken(): never {
    throw new Error('a bug of the app');
  }

  @Get('forbidden')
  forbidden(): never {
    throw new ForbiddenException('Ann is not a member');
  }

  @Post('sign-up')
  signUp(@Body(new ValidationPipe()) body: SignUp): object {
    return body;
  }
}

@Controller()
class ScopedRoutes {
  @Get('scoped')
  @Scopes('admin')
  scoped(): string {
    return 'served';
  }
}

@WebSocketGateway()
class Gateway {}

const keys = new TestKeys();
const { key: KEY } = keys.add('bot');
const AUTH = { apiKeys: { store: keys.store, secret: SECRET } };
const AS_BOT = { 'X-API-Key': KEY };
const JSON_TYPE = { 'Content-Type': 'application/json' };
const fails = (): never => {
  throw new Error('down');
};
/** Fails once: closing an app waits for its records. */
let isFull = false;
const fullSink: AuditSink = {
  name: 'full',
  write: () => (isFull ? Promise.reject(new Error('full')) : Promise.resolve()),
};
const WS: AppParts = {
  providers: [Gateway],
  configure: app => void app.useWebSocketAdapter(new WsAdapter(app)),
};
const MCP = { mcp: { path: '/mcp' } };
const LIST = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const MCP_HEADERS = { ...JSON_TYPE, Accept: 'application/json, text/event-stream' };
const handshake = (port: number): string =>
  `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

interface Case {
  readonly parts?: AppParts;
  send(app: RunningApp): Promise<unknown>;
  /** @default 1; 0 where the log has the line of the failure itself */
  readonly lines?: number;
  readonly event?: object;
}

const send =
  (path: string, options?: Parameters<RunningApp['send']>[1]) =>
  (app: RunningApp): Promise<unknown> =>
    app.send(path, options);

const CASES: Readonly<Record<ProblemCode, Case>> = {
  host_invalid: { send: send('/', { headers: { Host: 'a,b' } }), event: { reason: 'malformed' } },
  host_not_allowed: {
    send: send('/', { headers: { Host: 'evil.example' } }),
    event: { reason: 'not-listed', received: 'evil.example' },
  },
  origin_not_allowed: {
    send: send('/', { method: 'POST', headers: { Origin: 'https://evil.example' } }),
    event: { reason: 'not-listed', received: 'https://evil.example', method: 'POST', path: '/' },
  },
  credential_missing: { parts: { options: { auth: AUTH } }, send: send('/') },
  invalid_token: {
    parts: { options: { auth: AUTH } },
    send: send('/?page=1', { headers: { 'X-API-Key': `${KEY}x` } }),
    event: { reason: 'malformed', path: '/' },
  },
  insufficient_scope: {
    parts: { options: { auth: AUTH } },
    send: send('/scoped', { headers: AS_BOT }),
    event: { agent: 'bot' },
  },
  credential_ambiguous: {
    parts: { options: { auth: AUTH } },
    send: send('/', { headers: { ...AS_BOT, Authorization: `Bearer ${KEY}` } }),
  },
  credential_in_url: {
    parts: { options: { auth: AUTH } },
    send: send(`/?api_key=${KEY}`),
    event: { path: '/' },
  },
  identity_unavailable: {
    parts: { options: { auth: { apiKeys: { store: { find: fails }, secret: SECRET } } } },
    send: send('/', { headers: AS_BOT }),
  },
  rate_limited: {
    send: async app => {
      await app.send('/limited');
      await app.send('/limited');
    },
  },
  limits_unavailable: { send: send('/unknown-limit') },
  tool_not_allowed: {
    parts: { options: { auth: AUTH, tools: { allow: { '*': ['write_*'] } } } },
    send: send('/tool', { headers: AS_BOT }),
    event: { agent: 'bot' },
  },
  mcp_invalid: { parts: { options: MCP }, send: send('/mcp', { body: '[', headers: MCP_HEADERS }) },
  mcp_header_mismatch: {
    parts: { options: MCP },
    send: send('/mcp', {
      body: LIST,
      headers: { ...MCP_HEADERS, 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call' },
    }),
  },
  mcp_version_unsupported: {
    parts: { options: MCP },
    send: send('/mcp', { body: LIST, headers: { ...MCP_HEADERS, 'MCP-Protocol-Version': '1999-01-01' } }),
  },
  mcp_session_unknown: {
    parts: { options: { ...MCP, auth: AUTH } },
    send: send('/mcp', { body: LIST, headers: { ...MCP_HEADERS, ...AS_BOT, 'Mcp-Session-Id': 'unknown' } }),
  },
  network_not_allowed: {
    parts: { options: { trustProxy: 'loopback' } },
    send: send('/private', { headers: { 'X-Forwarded-For': '203.0.113.9' } }),
    event: { address: '203.0.113.9' },
  },
  proxy_proof_invalid: {
    parts: { options: { mcp: { path: '/mcp', proxyProof: { secrets: ['p'.repeat(43)] } } } },
    send: send('/mcp', { body: LIST, headers: MCP_HEADERS }),
  },
  session_unknown: {
    parts: {
      options: { auth: AUTH },
      providers: [Gateway],
      configure: app => void app.useWebSocketAdapter(new IoAdapter(app)),
    },
    send: send('/socket.io/?EIO=4&transport=polling&sid=unknown', { headers: AS_BOT }),
  },
  tls_required: {
    parts: { options: { webSockets: { requireTls: true } }, ...WS },
    send: ({ port }) => exchange(port, handshake(port)),
    event: { method: 'GET', path: '/' },
  },
  audit_unavailable: {
    parts: { options: { auth: AUTH, audit: { sinks: [fullSink] } } },
    send: async app => {
      isFull = true;
      await app.send('/tool', { headers: AS_BOT });
      isFull = false;
    },
  },
  url_invalid: { send: send('/a/%2e%2e/b') },
  header_repeated: {
    send: send('/', { headers: { 'Content-Type': ['application/json', 'application/json'] } }),
  },
  path_invalid: { send: send('/files/..b%00'), parts: { options: { url: false } } },
  request_ended: { send: send('/ended') },
  handler_timeout: { send: send('/slow') },
  method_not_allowed: { send: ({ port }) => request(port, { path: '/', method: 'TRACE' }) },
  body_too_large: {
    parts: { options: { body: { maxBytes: 5 } } },
    send: send('/', { body: '{"long":"er"}', headers: JSON_TYPE }),
  },
  body_invalid: { send: send('/', { body: '{"a":1,"a":2}', headers: JSON_TYPE }) },
  validation_failed: {
    send: send('/sign-up', { body: '{"email":"ann"}', headers: JSON_TYPE }),
    event: { reason: undefined },
  },
  bad_request: { send: send('/', { body: '{', headers: JSON_TYPE }), event: { reason: undefined } },
  too_many_headers: {
    send: send('/', { headers: [...Array(1_001).keys()].map(each => [`X-${each}`, ''] as const) }),
  },
  request_malformed: {
    send: ({ port }) => exchange(port, 'NOT HTTP\r\n\r\n'),
    event: { address: '127.0.0.1' },
  },
  uri_too_long: { send: send(`/${'a'.repeat(8_200)}`) },
  request_timeout: {
    send: async ({ app, port }) => {
      const server: EventEmitter = app.getHttpServer();
      server.once('connection', socket =>
        server.emit(
          'clientError',
          Object.assign(new Error('slow'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }),
          socket,
        ),
      );
      await exchange(port, '');
    },
  },
  unsupported_media_type: {
    parts: { options: MCP },
    send: send('/mcp', { body: LIST, headers: { ...MCP_HEADERS, 'Content-Encoding': 'gzip' } }),
  },
  not_found: { send: send('/nowhere'), event: { reason: undefined } },
  internal_error: { send: send('/broken'), lines: 0, event: { reason: undefined } },
};

/** The events of an app, from now on. */
function eventsOf({ app }: RunningApp): <T extends SecurityEventType>(type: T) => SecurityEvent<T>[] {
  const all: SecurityEvent[] = [];
  app.get(SecurityEvents).all.subscribe(event => all.push(event));
  return type => all.filter(event => event.type === type) as never;
}

const launch = (platform: Platform, { options, ...parts }: AppParts = {}): Promise<RunningApp> =>
  start(platform, {
    controllers: options?.auth === undefined ? [Routes] : [Routes, ScopedRoutes],
    options: { logging: { level: 'debug' }, ...options },
    ...parts,
  });

describe.each(PLATFORMS)('a rejection on %s', (_title, platform) => {
  it.each(Object.entries(CASES))(
    '%s is one event and one log line',
    async (code, { parts, send, lines = 1, event }) => {
      const app = await launch(platform, parts);
      const events = eventsOf(app);
      await send(app);
      const emitted = events('request.rejected');
      expect(emitted.map(each => each.code)).toEqual([code]);
      expect(emitted[0]).toMatchObject({
        requestId: expect.stringMatching(/^[\w.:@+=-]{1,128}$/),
        address: expect.stringMatching(/^(?:127\.0\.0\.1|203\.0\.113\.9)$/),
        ...event,
      });
      expect(
        app.logger.find(/^Rejected /).map(({ message }) => /^Rejected \d+ (\w+)/.exec(message)?.[1]),
      ).toEqual(Array(lines).fill(code));
      expect(app.logger.text).not.toContain(KEY);
      expect(app.logger.find('a bug of the app', 'error')).toHaveLength(1 - lines);
    },
  );
});

/** Answers as some apps do: the problem of the module is lost. */
@Catch(HttpException)
class EnvelopeFilter implements ExceptionFilter {
  catch(_exception: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse();
    if ('code' in response) response.code(200).send({ ok: false });
    else response.status(200).json({ ok: false });
  }
}

@WebSocketGateway()
class MessageGateway {
  @SubscribeMessage('admin')
  @Scopes('admin')
  admin(): string {
    return 'served';
  }
}

describe.each(PLATFORMS)('what is logged on %s', (_title, platform) => {
  it('has the reason, the client, the agent, the request and the remedy in one line', async () => {
    const app = await launch(platform);
    const answer = await app.send('/?secret=1', {
      method: 'POST',
      headers: { Origin: 'https://evil.example', 'X-Request-ID': 'id-1' },
    });
    expect(answer.body).not.toContain('evil');
    expect(app.logger.find('Rejected')).toMatchObject([
      {
        level: 'warn',
        context: 'AgentSecurity',
        message:
          'Rejected 403 origin_not_allowed: reason=not-listed received=https://evil.example address=127.0.0.1 ' +
          'requestId=id-1 method=POST path=/. If it is one of your origins, add it to cors.origins (CORS_ORIGINS).',
      },
    ]);
  });

  it('cannot be forged by what a request sends', async () => {
    const app = await launch(platform, { options: { url: false } });
    await app.send('/x%20agent=root"y', {
      method: 'POST',
      headers: { Origin: 'https://a agent=root \u0085' },
    });
    const [line] = app.logger.find('Rejected');
    expect(line!.message).toContain('received="https://a agent=root \\u0085"');
    expect(line!.message).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]| agent=root [^\\]/u);
  });

  it('is one line per reason and client in a minute, and then the number of the others', async () => {
    const app = await launch(platform, { options: { trustProxy: 'loopback' } });
    const from = (address: string, path = '/limited'): Promise<unknown> =>
      app.send(path, { headers: { 'X-Forwarded-For': address } });
    const events = eventsOf(app);
    for (let time = 0; time < 4; time++) await from('203.0.113.1');
    for (let time = 0; time < 3; time++) await from('203.0.113.2');
    expect(events('request.rejected')).toHaveLength(5);
    expect(app.logger.find('Rejected').map(({ text }) => /address=(\S+)/.exec(text)?.[1])).toEqual([
      '203.0.113.1',
      '203.0.113.2',
    ]);
    app.clock.advance(60_000);
    await from('203.0.113.1', '/nowhere');
    expect(app.logger.find('Further security events').map(({ message }) => message)).toEqual([
      'Further security events in the last minute, not logged one by one: rate_limited=3',
    ]);
  });

  it('is bounded where every request comes from another client, and another reason still has its line', async () => {
    const app = await launch(platform, { options: { trustProxy: 'loopback' } });
    for (let client = 0; client < 30; client++)
      await app.send('/', { headers: { Host: 'evil.example', 'X-Forwarded-For': `203.0.113.${client}` } });
    expect(app.logger.find('host_not_allowed')).toHaveLength(20);
    await app.send('/', { method: 'POST', headers: { Origin: 'https://evil.example' } });
    expect(app.logger.find('origin_not_allowed')).toHaveLength(1);
    await app.app.close();
    expect(app.logger.find('host_not_allowed=10')).toHaveLength(1);
  });

  it('counts the flood limit and known denials', async () => {
    const app = await launch(platform, {
      options: { rateLimit: { limits: ['1/minute'], flood: '5/minute' } },
    });
    const events = eventsOf(app);
    for (let time = 0; time < 8; time++) await app.send('/');
    expect(events('request.rejected').map(({ code }) => code)).toEqual(Array(7).fill('rate_limited'));
    expect(events('request.rejected').map(({ reason }) => reason)).toEqual([
      ...Array(4).fill('Limit: 1 request per 1 minute'),
      ...Array(3).fill('Limit: 5 requests per 1 minute'),
    ]);
  });

  it('is the rejection also where a filter of the app answers it', async () => {
    const app = await launch(platform, {
      options: { auth: AUTH },
      providers: [{ provide: APP_FILTER, useClass: EnvelopeFilter }],
    });
    const events = eventsOf(app);
    expect((await app.send('/')).status).toBe(200);
    expect(events('request.rejected')).toMatchObject([{ status: 401, code: 'credential_missing' }]);
    expect(app.logger.find('credential_missing', 'warn')).toHaveLength(1);
  });

  it('is the rejection also with errors: false', async () => {
    const app = await launch(platform, { options: { auth: AUTH, errors: false } });
    const events = eventsOf(app);
    for (const [path, headers] of [
      ['/', {}],
      ['/scoped', AS_BOT],
    ] as const)
      await app.send(path, { headers });
    expect(events('request.rejected').map(({ code }) => code)).toEqual([
      'credential_missing',
      'insufficient_scope',
    ]);
  });

  it('has no message of the app, and shows what the app rejects at the level debug alone', async () => {
    const app = await launch(platform);
    const events = eventsOf(app);
    await app.send('/forbidden');
    expect(events('request.rejected')).toMatchObject([{ status: 403, code: 'forbidden', reason: undefined }]);
    expect(app.logger.find('Rejected 403 forbidden', 'debug')).toHaveLength(1);
    expect(app.logger.text).not.toContain('Ann');
  });

  it('is each rejected message of a WebSocket', async () => {
    const app = await launch(platform, {
      options: { auth: AUTH },
      providers: [MessageGateway],
      configure: created => void created.useWebSocketAdapter(new WsAdapter(created)),
    });
    const events = eventsOf(app);
    const socket = new WebSocket(`ws://127.0.0.1:${app.port}/`, { headers: AS_BOT });
    await once(socket, 'open');
    for (let time = 0; time < 2; time++) {
      socket.send('{"event":"admin"}');
      await once(socket, 'message');
    }
    socket.terminate();
    expect(events('request.rejected')).toMatchObject(
      [1, 2].map(() => ({ status: 403, code: 'insufficient_scope', agent: 'bot', path: '/' })),
    );
    expect(app.logger.find('Rejected')).toHaveLength(1);
  });

  it('has thresholds, spent failed attempts and runs of denials', async () => {
    const app = await launch(platform, {
      options: {
        logging: { level: 'warn' },
        auth: { ...AUTH, failedAttempts: '2/minute' },
        tools: { allow: { '*': ['write_*'] } },
        rateLimit: { limits: [{ limit: '20/minute', alertAt: [0.2] }] },
      },
    });
    for (let time = 0; time < 5; time++) await app.send('/tool', { headers: AS_BOT });
    for (let time = 0; time < 2; time++) await app.send('/', { headers: { 'X-API-Key': 'ask_wrong' } });
    for (const type of ['limit.threshold', 'tool.denials', 'auth.limited'])
      expect(app.logger.find(`Security event ${type}: `, 'warn')).toHaveLength(1);
  });

  it.each<[string, NonNullable<AppParts['options']>, string[]]>([
    ['by default', {}, ['host_not_allowed', 'bad_request']],
    ["from 'warn'", { logging: { level: 'warn' } }, ['host_not_allowed']],
    ["from 'debug'", { logging: { level: 'debug' } }, ['host_not_allowed', 'bad_request', 'not_found']],
    ["from 'error'", { logging: { level: 'error' } }, []],
    ["with 'none'", { logging: { level: 'none' } }, []],
    ['with logging: false', { logging: false }, []],
  ])('depends on the level: %s', async (_row, options, codes) => {
    const app = await start(platform, { controllers: [Routes], options });
    await app.send('/', { headers: { Host: 'evil.example' } });
    await app.send('/', { body: '{', headers: JSON_TYPE });
    await app.send('/nowhere');
    expect(app.logger.find(/^Rejected/).map(({ message }) => message.split(/[ :]/)[2])).toEqual(codes);
  });
});

it('is one event over HTTP/2, where Node sends headers without writeHead', async () => {
  const app = await start(FASTIFY, {
    controllers: [Routes],
    adapter: () => new FastifyAdapter({ http2: true } as never),
  });
  const events = eventsOf(app);
  await requestHttp2(app.port, { path: '/', headers: { ':authority': 'evil.example' } });
  await requestHttp2(app.port, { path: '/broken' });
  expect(events('request.rejected').map(({ code }) => code)).toEqual(['host_not_allowed', 'internal_error']);
});

it('is one event for the rejected fields of a GraphQL operation', async () => {
  @Resolver()
  class Scoped {
    @Query(() => Int)
    @Scopes('admin')
    scoped(): number {
      return 1;
    }
  }
  const app = await start(EXPRESS, {
    options: { auth: AUTH },
    imports: [
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        autoSchemaFile: true,
        graphiql: false,
      }),
    ],
    providers: [Scoped],
  });
  const events = eventsOf(app);
  const answer = await app.send('/graphql', {
    headers: { ...JSON_TYPE, ...AS_BOT },
    body: '{"query":"{ one: scoped two: scoped }"}',
  });
  expect(answer.json().errors).toHaveLength(1);
  expect(events('request.rejected')).toMatchObject([
    { status: 403, code: 'insufficient_scope', agent: 'bot', path: '/graphql' },
  ]);
});
