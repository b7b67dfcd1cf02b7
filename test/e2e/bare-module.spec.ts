/* The module without forRoot() in `imports`, as Nest's own modules are imported. */
import { Controller, Get, Module } from '@nestjs/common';
import { AgentSecurityModule, RateLimiter } from '../../src/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

@Controller()
class HelloController {
  @Get()
  hello(): string {
    return 'Hello World!';
  }
}

@Module({ imports: [AgentSecurityModule], controllers: [HelloController] })
class BareModule {}

describe.each(PLATFORMS)('AgentSecurityModule alone on %s', (_title, platform) => {
  it('is forRoot()', async () => {
    const { send, app } = await start(platform, { security: false, imports: [BareModule] });
    const answer = await send('/');
    expect([answer.status, answer.body]).toEqual([200, 'Hello World!']);
    expect(answer.header('X-Content-Type-Options')).toBe('nosniff');
    expect(answer.header('RateLimit')).toContain('r=9');
    expect((await send('/', { headers: { Host: 'evil.example' } })).status).toBe(421);
    expect(app.get(RateLimiter, { strict: false })).toBeInstanceOf(RateLimiter);
  });

  it('beside forRoot() stops the start-up', async () => {
    const starting = start(platform, { options: { hosts: 'a.test' }, imports: [BareModule] });
    await expect(starting).rejects.toMatchObject({
      code: 'ASEC_MODULE_TWICE',
      message: expect.stringContaining('Import it once, in the root module') as string,
    });
  });

  it('may be imported by several modules', async () => {
    @Module({ imports: [AgentSecurityModule] })
    class OtherModule {}
    const { send } = await start(platform, { security: false, imports: [BareModule, OtherModule] });
    expect((await send('/')).header('RateLimit')).toContain('r=9');
  });
});
