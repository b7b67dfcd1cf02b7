/* A 429 closes an `EventSource` for good, so a stream's reconnect has an allowance of its own. */
import { Controller, Get, type MessageEvent, Sse } from '@nestjs/common';
import { Throttle } from '@nestjs/throttler';
import { of, type Observable } from 'rxjs';
import { RateLimit } from '../../src/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, start } from '../support/start.js';

@Controller()
class Streams {
  @Sse('stream')
  stream(): Observable<MessageEvent> {
    return of({ id: '1', data: 'one' });
  }

  @RateLimit('1/minute')
  @Sse('limited')
  limited(): Observable<MessageEvent> {
    return of({ id: '1', data: 'one' });
  }

  @Throttle({ default: { limit: 1, ttl: 60_000 } })
  @Sse('throttled')
  throttled(): Observable<MessageEvent> {
    return of({ id: '1', data: 'one' });
  }

  @Get('plain')
  plain(): string {
    return 'plain';
  }
}

const RECONNECT = { Accept: 'text/event-stream', 'Last-Event-ID': '1' };

describe.each(PLATFORMS)('the reconnect of a stream on %s', (_title, platform) => {
  const startStreams = async (options: AppParts['options'] = {}) => {
    const rateLimit = { limits: '2/minute', flood: false } as const;
    const app = await start(platform, { controllers: [Streams], options: { rateLimit, ...options } });
    const get = (path: string, headers: Record<string, string> = RECONNECT) => app.send(path, { headers });
    return { ...app, get };
  };

  it('is served over the limits, up to its own', async () => {
    const { get, clock } = await startStreams();
    for (let count = 0; count < 32; count++) expect((await get('/stream')).status).toBe(200);
    const denied = await get('/stream');
    expect([denied.status, denied.header('ratelimit')]).toEqual([429, '"stream-reconnects";r=0;t=60']);
    expect((await get('/plain')).status).toBe(429);
    clock.advance(60_000);
    expect((await get('/stream')).header('ratelimit')).toBe('"2-per-minute";r=1;t=60');
  });

  it('is served after the same request without Last-Event-ID was denied', async () => {
    const { get } = await startStreams();
    for (let count = 0; count < 4; count++) await get('/stream', { Accept: 'text/event-stream' });
    expect((await get('/stream', { Accept: 'text/event-stream' })).status).toBe(429);
    const served = await get('/stream');
    expect([served.status, served.header('ratelimit')]).toEqual([200, '"stream-reconnects";r=29;t=60']);
  });

  it.each([
    ['a route that is no stream', '/plain', RECONNECT],
    ['a stream with limits of its own', '/limited', RECONNECT],
    ['a stream with a @Throttle() of its own', '/throttled', RECONNECT],
    ['a request without Last-Event-ID', '/stream', { Accept: 'text/event-stream' }],
    ['a request for another type', '/stream', { Accept: 'application/json', 'Last-Event-ID': '1' }],
  ])('has no allowance for %s', async (_what, path, headers) => {
    const { get } = await startStreams();
    for (let count = 0; count < 2; count++) await get(path, headers as Record<string, string>);
    expect((await get(path, headers as Record<string, string>)).status).toBe(429);
  });

  it('stays within the limit of open streams', async () => {
    const open = { limit: 1, algorithm: 'concurrency', name: 'open' } as const;
    const { get } = await startStreams({ rateLimit: { limits: ['1/minute', open], flood: false } });
    expect((await get('/stream')).status).toBe(200);
    const served = await get('/stream');
    expect([served.status, served.header('ratelimit-policy')]).toEqual([
      200,
      '"stream-reconnects";q=30;w=60, "open";q=1;qu="concurrent-requests"',
    ]);
  });
});
