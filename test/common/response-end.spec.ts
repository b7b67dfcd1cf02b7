import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import { closeWithConnection, hasResponseEnded, whenResponseEnds } from '../../src/common/response-end.js';
import { type PlatformResponse, rawResponse } from '../../src/common/http-request.js';
import { pipeline, reset, until, wire } from '../support/leaving.js';
import { FASTIFY } from '../support/platforms.js';
import { start } from '../support/start.js';

interface Seen {
  readonly response: ServerResponse;
  readonly ends: boolean[];
}

let seen: Seen[] = [];
const servers: { close(): unknown }[] = [];
beforeEach(() => (seen = []));
afterEach(() => servers.splice(0).forEach(server => server.close()));

const watch = (response: ServerResponse): Seen => {
  const one: Seen = { response, ends: [] };
  whenResponseEnds(response, isWhole => one.ends.push(isWhole));
  seen.push(one);
  return one;
};
const portOf = (server: Pick<Server, 'address'>): number => (server.address() as AddressInfo).port;
const ends = (): boolean[][] => seen.map(one => one.ends);

async function serve(handle: (response: ServerResponse, url: string) => void): Promise<Server> {
  const server = createServer((request, response) => {
    // As the edge does.
    closeWithConnection(response);
    watch(response);
    handle(response, request.url!);
  });
  servers.push(server);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return server;
}

describe('whenResponseEnds', () => {
  it('calls back once for a response that was sent, which is whole', async () => {
    const server = await serve(response => response.end('whole'));
    const socket = await pipeline(portOf(server), wire('GET', '/'), wire('GET', '/'));
    await until('both have ended', () => ends().flat().length === 2);
    await reset(server, socket);
    expect(ends()).toEqual([[true], [true]]);
  });

  it('calls back once for a response that is cut off, which is not whole', async () => {
    const server = await serve(response => response.write('a part'));
    const socket = await pipeline(portOf(server), wire('GET', '/'));
    await until('the request came', () => seen.length === 1);
    await reset(server, socket);
    await until('it has ended', () => ends().flat().length === 1);
    expect(ends()).toEqual([[false]]);
  });

  it('calls back once for every queued response of a connection that is reset, with one listener', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning);
    process.on('warning', onWarning);
    const server = await serve((response, url) => (url === '/ended' ? response.end('queued') : undefined));
    const requests = Array.from({ length: 1_000 }, (_, index) =>
      wire('GET', index % 50 === 49 ? '/ended' : '/open'),
    );
    const socket = await pipeline(portOf(server), ...requests);
    await until('all requests came', () => seen.length === 1_000);
    const [first] = seen as [Seen];
    const listeners = first.response.req.socket.listenerCount('close');
    await reset(server, socket);
    await until('all have ended', () => ends().flat().length === 1_000);
    process.off('warning', onWarning);
    expect(ends()).toEqual(Array.from({ length: 1_000 }, () => [false]));
    expect(listeners).toBeLessThan(10);
    expect(warnings).toEqual([]);
  });

  it('calls back once for a queued response whose turn comes', async () => {
    const server = await serve((response, url) => (url === '/open' ? undefined : response.end('queued')));
    await pipeline(portOf(server), wire('GET', '/open'), wire('GET', '/ended'));
    await until('both requests came', () => seen.length === 2);
    expect(ends()).toEqual([[], []]);
    seen[0]!.response.end();
    await until('both have ended', () => ends().flat().length === 2);
    server.closeAllConnections();
    expect(ends()).toEqual([[true], [true]]);
  });

  it('does not take for whole what a handler writes to a connection that is closed', async () => {
    const server = await serve(() => undefined);
    const socket = await pipeline(portOf(server), wire('GET', '/'));
    await until('the request came', () => seen.length === 1);
    const { response } = seen[0]!;
    response.req.socket.destroy();
    expect(hasResponseEnded(response)).toBe(true);
    response.end('too late');
    await until('it has ended', () => ends().flat().length === 1);
    socket.destroy();
    expect(ends()).toEqual([[false]]);
  });

  it('calls back at once for a response that has ended', async () => {
    const server = await serve(response => response.end('whole'));
    const socket = await pipeline(portOf(server), wire('GET', '/'));
    await until('it has ended', () => ends().flat().length === 1);
    const late: boolean[] = [];
    whenResponseEnds(seen[0]!.response, isWhole => late.push(isWhole));
    await reset(server, socket);
    expect(late).toEqual([true]);
  });

  it.each([
    ['a response that was sent', '/ended', 0, true],
    ['a stream that was reset', '/open', 8, false],
  ])('follows %s over HTTP/2', async (_title, path, code, isWhole) => {
    const server = createHttp2Server((request, response) => {
      watch(response as unknown as ServerResponse);
      if (request.url === '/ended') response.end('whole');
      else response.write('a part');
    });
    servers.push(server);
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const session = connectHttp2(`http://127.0.0.1:${portOf(server)}`);
    const stream = session.request({ ':path': path }).on('error', () => undefined);
    stream.resume();
    await until('the request came', () => seen.length === 1);
    if (code !== 0) stream.close(code);
    await until('it has ended', () => ends().flat().length === 1);
    session.destroy();
    expect([ends(), hasResponseEnded(seen[0]!.response)]).toEqual([[[isWhole]], true]);
  });

  it('follows a response of inject()', async () => {
    @Controller()
    class Routes {
      @Get()
      get(@Res({ passthrough: true }) response: PlatformResponse): string {
        watch(rawResponse(response));
        return 'whole';
      }
    }
    const { app } = await start(FASTIFY, { controllers: [Routes] });
    await (app.getHttpAdapter() as unknown as FastifyAdapter).inject({
      url: '/',
      headers: { host: 'localhost' },
    });
    expect(ends()).toEqual([[true]]);
  });
});

test('nothing else in the sources looks for the end of a response', () => {
  const root = join(__dirname, '../../src');
  const found = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts') && file !== join('common', 'response-end.ts'))
    .filter(file =>
      /'finish'|writableFinished|(?:response|answer|reply)\)*\.(?:destroyed\b|on(?:ce)?\('close')/i.test(
        readFileSync(join(root, file), 'utf8'),
      ),
    );
  expect(found).toEqual([]);
});
