import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { HelloController } from '../support/controllers.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

let frameworkCalls = 0;

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Takes the server's request listeners and answers a path of its own before them, as engine.io does for polling. */
@Injectable()
class PollingLibrary implements OnModuleInit {
  constructor(private readonly host: HttpAdapterHost) {}

  onModuleInit(): void {
    const server = this.host.httpAdapter.getHttpServer() as Server;
    const listeners = server.listeners('request') as Listener[];
    server.removeAllListeners('request');
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (request.url?.startsWith('/polling/')) {
        response.writeHead(200, { 'Content-Type': 'text/plain', 'access-control-allow-origin': '*' });
        response.end('polled');
        return;
      }
      frameworkCalls += 1;
      for (const listener of listeners) listener.call(server, request, response);
    });
  }
}

describe.each(PLATFORMS)('the edge before a library’s own listener on %s', (_title, platform) => {
  beforeEach(() => (frameworkCalls = 0));

  const parts = { controllers: [HelloController], providers: [PollingLibrary] };

  it('gives its headers to a library that answers before routing', async () => {
    const { send } = await start(platform, parts);
    const answer = await send('/polling/1');
    expect([answer.status, answer.body, answer.header('x-frame-options')]).toEqual([200, 'polled', 'DENY']);
    expect(answer.header('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.repeated).toEqual([]);
  });

  it('checks the host and the origin for it', async () => {
    const { send } = await start(platform, parts);
    const foreignHost = await send('/polling/1', { headers: { Host: 'evil.test' } });
    const foreignOrigin = await send('/polling/1', {
      method: 'POST',
      headers: { Origin: 'https://evil.test' },
    });
    expect([foreignHost.status, foreignOrigin.status]).toEqual([421, 403]);
  });

  it.each([
    ['a foreign host', { headers: { Host: 'evil.test' } }, 421],
    [
      'a preflight of a foreign origin',
      { method: 'OPTIONS', headers: { Origin: 'https://evil.test', 'Access-Control-Request-Method': 'GET' } },
      403,
    ],
    [
      'a body that is declared too long',
      { method: 'POST', headers: { 'Content-Length': '99999999' }, headersOnly: true },
      413,
    ],
  ])('answers %s without the framework', async (_case, options, status) => {
    const { send } = await start(platform, parts);
    expect((await send('/', options)).status).toBe(status);
    expect(frameworkCalls).toBe(0);
  });

  it('answers a flood before routing, with the headers of every other rejection', async () => {
    const { send } = await start(platform, { ...parts, options: { rateLimit: { flood: '1/minute' } } });
    expect((await send('/')).status).toBe(200);
    const rejected = await send('/');
    expect(frameworkCalls).toBe(1);
    expect([rejected.status, rejected.header('retry-after'), rejected.header('content-type')]).toEqual([
      429,
      '60',
      'application/problem+json',
    ]);
    expect(rejected.json()['violated-policies']).toEqual(['flood']);
    expect(rejected.header('ratelimit')).toBe('"flood";r=0;t=60');
  });

  it('counts a request once, although it passes the server event and the hook', async () => {
    const { send } = await start(platform, { ...parts, options: { rateLimit: { flood: '2/minute' } } });
    const statuses = [await send('/'), await send('/'), await send('/')].map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 429]);
  });
});
