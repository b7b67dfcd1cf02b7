/* A peer that resets its connection right behind its request: its address is known all the same, so that its requests count for its limits. */
import { Controller, Get } from '@nestjs/common';
import { RateLimit } from '../../src/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { sendAndReset } from '../support/sockets.js';
import { start } from '../support/start.js';

const LIMIT = 3;
let runs = 0;

@Controller()
class Routes {
  @RateLimit(`${LIMIT}/minute`)
  @Get('limited')
  limited(): string {
    runs++;
    return 'served';
  }
}

describe.each(PLATFORMS)('peers that reset their connection, on %s', (_title, platform) => {
  beforeEach(() => (runs = 0));

  it('have one quota with those that do not', async () => {
    const app = await start(platform, { controllers: [Routes], options: { rateLimit: { flood: false } } });
    for (let request = 0; request < LIMIT; request++) {
      expect((await app.send('/limited')).status).toBe(200);
    }
    await sendAndReset(app.port, 'GET /limited HTTP/1.1\r\nHost: localhost\r\n\r\n', 200);
    expect((await app.send('/limited')).status).toBe(429);
    expect(runs).toBe(LIMIT);
  });

  it('have one quota with those that do not, through a trusted proxy', async () => {
    const app = await start(platform, {
      controllers: [Routes],
      options: { trustProxy: 'loopback', rateLimit: { flood: false } },
    });
    const headers = { 'X-Forwarded-For': '203.0.113.5' };
    for (let request = 0; request < LIMIT; request++) {
      expect((await app.send('/limited', { headers })).status).toBe(200);
    }
    const bytes = 'GET /limited HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n';
    await sendAndReset(app.port, bytes, 200);
    expect(runs).toBe(LIMIT);
  });
});
