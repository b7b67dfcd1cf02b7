/* Ways around the module that were found by attacking it, each closed. */
import { connect } from 'node:net';
import { Body, Controller, Get, Injectable, type OnModuleInit, Post } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { AuthGuard, HostGuard, RateLimitGuard, ScopesGuard, TimeoutGuard } from '../../src/index.js';
import { exchange } from '../support/http.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS, PLATFORMS_AND_MODES } from '../support/platforms.js';
import { start } from '../support/start.js';

let handled: string[] = [];

@Controller()
class TargetController {
  @Get()
  root(): object {
    handled.push('root');
    return {};
  }

  @Post('echo')
  echo(@Body() body: unknown): object {
    handled.push('echo');
    return { body };
  }

  @Get('forge')
  forge(): never {
    throw new Error('first\nsecond \u001b[2J\u2028');
  }
}

/** Accepts every upgrade that reaches it. */
@Injectable()
class Upgrades implements OnModuleInit {
  constructor(private readonly host: HttpAdapterHost) {}

  onModuleInit(): void {
    const server = this.host.httpAdapter.getHttpServer() as Server;
    server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
      handled.push('upgrade');
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
  }
}

const upgrade = (...lines: string[]): string =>
  [
    'GET /ws HTTP/1.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    ...lines,
    '',
    '',
  ].join('\r\n');

/** The first bytes of an answer, as they come. */
function firstBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.once('data', data => {
      resolve(data.toString('latin1'));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  beforeEach(() => (handled = []));

  const parts = { controllers: [TargetController], providers: [Upgrades] };
  const padding = 'a:1\r\n'.repeat(1_100);

  it.each([
    ['a second Host', `GET / HTTP/1.1\r\nHost: localhost\r\n${padding}Host: evil.test\r\n\r\n`],
    [
      'an Origin',
      `POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n${padding}Origin: https://evil.test\r\n\r\n`,
    ],
    [
      'a declared length',
      `POST /echo HTTP/1.1\r\nHost: localhost\r\n${padding}Content-Length: 1000000000\r\n\r\n`,
    ],
  ])('rejects %s behind a thousand lines of nothing', async (_case, bytes) => {
    const { port } = await start(platform, parts);
    const { answers } = await exchange(port, bytes);
    expect(answers.map(({ status }) => status)).toEqual([431]);
    expect(answers[0]!.json().code).toBe('too_many_headers');
    expect(handled).toEqual([]);
  });

  it.each([
    ['a foreign host', ['Host: evil.test'], '421', []],
    ['a foreign origin', ['Host: localhost', 'Origin: https://evil.test'], '403', []],
    ['no host', [], '400', []],
    ['no origin, as a program', ['Host: localhost'], '101', ['upgrade']],
    ['the own origin', ['Host: localhost:3000', 'Origin: http://localhost:3000'], '101', ['upgrade']],
  ])('answers an upgrade of %s', async (_case, lines, status, reached) => {
    const { port } = await start(platform, parts);
    const answer = await firstBytes(port, upgrade(...lines));
    expect(answer.slice(9, 12)).toBe(status);
    expect(handled).toEqual(reached);
    const isProblem = /\r\nX-Frame-Options: DENY\r\n[^]*application\/problem\+json/.test(answer);
    expect(isProblem).toBe(status !== '101');
  });

  it('counts upgrades as requests of their address', async () => {
    const { port } = await start(platform, { ...parts, options: { rateLimit: { flood: '1/minute' } } });
    const statuses = [];
    for (let time = 0; time < 2; time++) {
      statuses.push((await firstBytes(port, upgrade('Host: localhost'))).slice(9, 12));
    }
    expect(statuses).toEqual(['101', '429']);
  });

  it.each([
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'host_invalid'],
    ['a bad request line', 'GET\r\n\r\n', 400, 'request_malformed'],
    [
      'a head beyond all bounds',
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'too_many_headers',
    ],
  ])('answers %s as a problem with all headers', async (_case, bytes, status, code) => {
    const { port } = await start(platform, parts);
    const { answers } = await exchange(port, bytes, 1);
    expect(answers.map(answer => answer.status)).toEqual([status]);
    expect(answers[0]!.header('content-type')).toBe('application/problem+json');
    expect(answers[0]!.header('x-content-type-options')).toBe('nosniff');
    expect(answers[0]!.json()).toMatchObject({ code, requestId: answers[0]!.header('x-request-id') });
  });

  it('does not request the body of a rejected request', async () => {
    const { port } = await start(platform, parts);
    const head =
      'POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\nContent-Type: application/json\r\n';
    expect((await firstBytes(port, `${head}Host: evil.test\r\n\r\n`)).slice(9, 12)).toBe('421');
    expect((await firstBytes(port, `${head}Host: localhost\r\n\r\n`)).slice(9, 12)).toBe('100');
  });

  it('closes the connection of a preflight that brings a body', async () => {
    const { send } = await start(platform, {
      ...parts,
      options: { cors: { origins: ['https://app.test'] } },
    });
    const answer = await send('/echo', {
      method: 'OPTIONS',
      headers: {
        Origin: 'https://app.test',
        'Access-Control-Request-Method': 'POST',
        'Content-Length': '100000000',
      },
      headersOnly: true,
    });
    expect([answer.status, answer.header('connection')]).toEqual([204, 'close']);
  });

  it('believes a browser that calls a request of the own origin foreign', async () => {
    const { send } = await start(platform, parts);
    const headers = { Host: 'api.localhost', Origin: 'http://api.localhost', 'Sec-Fetch-Site': 'cross-site' };
    expect((await send('/echo', { method: 'POST', headers })).status).toBe(403);
    expect(handled).toEqual([]);
  });

  it('counts requests that fail before the guards against the quota', async () => {
    const { send } = await start(platform, { ...parts, options: { rateLimit: { limits: '2/minute' } } });
    const bad = { method: 'POST', body: '{', headers: { 'Content-Type': 'application/json' } };
    const statuses = [await send('/echo', bad), await send('/echo', bad), await send('/echo', bad)];
    expect(statuses.map(({ status }) => status)).toEqual([400, 400, 429]);
  });

  it('uses the address of the peer where the two forwarded headers differ', async () => {
    const { send } = await start(platform, {
      ...parts,
      options: { trustProxy: 'loopback', rateLimit: { limits: '2/minute' } },
    });
    const statuses = [];
    for (let last = 1; last <= 3; last++) {
      const headers = { Forwarded: 'for=203.0.113.7', 'X-Forwarded-For': `198.51.100.${last}` };
      statuses.push((await send('/', { headers })).status);
    }
    expect(statuses).toEqual([200, 200, 429]);
  });

  it('does not take the promise of an async trustProxy for a yes', async () => {
    const { send } = await start(platform, {
      ...parts,
      options: { trustProxy: (async () => false) as never, rateLimit: { limits: '2/minute' } },
    });
    const statuses = [];
    for (let last = 1; last <= 3; last++) {
      statuses.push((await send('/', { headers: { 'X-Forwarded-For': `198.51.100.${last}` } })).status);
    }
    expect(statuses).toEqual([200, 200, 429]);
  });

  it('answers, and lives on, where a function of the app throws', async () => {
    const { send, logger } = await start(platform, {
      ...parts,
      options: {
        trustProxy: () => {
          throw new Error('no list');
        },
        requestId: {
          generate: () => {
            throw new Error('no id');
          },
        },
      },
    });
    const answers = [await send('/'), await send('/')];
    expect(answers.map(({ status }) => status)).toEqual([500, 500]);
    expect(answers[0]!.header('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(answers[0]!.body).not.toContain('no list');
    expect(logger.entries.map(({ message }) => message).join()).toContain('no list');
  });

  it('does not let the message of an exception forge a log line', async () => {
    const { send, logger } = await start(platform, parts);
    expect((await send('/forge')).status).toBe(500);
    const [entry] = logger.entries.filter(({ level }) => level === 'error');
    expect(entry!.message).toMatch(/^\[[0-9a-f-]{36}\] first\\u000asecond \\u001b\[2J\\u2028$/);
    // eslint-disable-next-line no-control-regex
    expect(entry!.text).not.toMatch(/\u001b|\u2028|\nsecond/);
  });
});

describe.each(PLATFORMS_AND_MODES)('a guard without canActivate() on %s', (_title, platform) => {
  const auth = { apiKeys: { store: new TestKeys().store, secret: SECRET } };

  it.each([
    ['AuthGuard', undefined],
    ['AuthGuard', null],
    ['ScopesGuard', undefined],
    ['RateLimitGuard', {}],
    ['HostGuard', undefined],
    ['TimeoutGuard', undefined],
  ])('in place of %s (%j) stops the start-up', async (name, useValue) => {
    const provide = { AuthGuard, ScopesGuard, RateLimitGuard, HostGuard, TimeoutGuard }[name]!;
    const starting = start(platform, {
      controllers: [TargetController],
      options: { auth, timeout: '1s' },
      extras: { providers: [{ provide, useValue }] },
    });
    await expect(starting).rejects.toMatchObject({ code: 'ASEC_OPTION_TYPE', option: name });
  });

  it('changes nothing where the feature is off', async () => {
    const { send } = await start(platform, {
      controllers: [TargetController],
      extras: { providers: [{ provide: AuthGuard, useValue: undefined }] },
    });
    expect((await send('/')).status).toBe(200);
  });
});
