/* Where @nestjs/throttler cannot be loaded, as in Jest's ESM mode before Node.js 24.9. */
import { Controller, Get, HttpException } from '@nestjs/common';
import { RateLimit, RateLimitException, RateLimitGuard } from '../../src/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

jest.mock('@nestjs/throttler', () => {
  throw new Error('Must use import to load ES Module');
});

@Controller()
class HelloController {
  @Get()
  @RateLimit('1/minute')
  hello(): string {
    return 'hello';
  }
}

class TenantGuard extends RateLimitGuard {}

describe.each(PLATFORMS)('without @nestjs/throttler, on %s', (_title, platform) => {
  it('limits', async () => {
    const { app, send } = await start(platform, { controllers: [HelloController] });
    expect((await send('/')).status).toBe(200);
    const limited = await send('/');
    expect([limited.status, limited.json().code]).toEqual([429, 'rate_limited']);
    expect(app.get(RateLimitGuard)).toBeInstanceOf(RateLimitGuard);
    expect(RateLimitException.prototype).toBeInstanceOf(HttpException);
  });

  it('stops the start-up of an app whose guard builds on ThrottlerGuard', async () => {
    const extras = { providers: [{ provide: RateLimitGuard, useClass: TenantGuard }] };
    await expect(start(platform, { extras })).rejects.toThrow(
      'TenantGuard extends ThrottlerGuard, and @nestjs/throttler cannot be loaded.',
    );
  });
});
