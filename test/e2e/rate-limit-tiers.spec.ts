import { Controller, Get } from '@nestjs/common';
import { RateLimit, SkipRateLimit } from '../../src/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

@Controller()
class TieredController {
  @Get('open')
  open(): object {
    return {};
  }

  @RateLimit('1/minute')
  @Get('own')
  own(): object {
    return {};
  }

  @SkipRateLimit()
  @Get('skipped')
  skipped(): object {
    return {};
  }
}

const header = 'x-plan';
const options = {
  rateLimit: {
    limits: '2/minute',
    tiers: { free: '1/minute', enterprise: ['3/second', '4/minute'] },
    tier: (request: { headers: NodeJS.Dict<string | string[]> }) =>
      request.headers[header] as string | undefined,
  },
};

describe.each(PLATFORMS)('tiers on %s', (_title, platform) => {
  const statuses = async (path: string, plan: string | undefined, times: number): Promise<number[]> => {
    const { send } = await start(platform, { controllers: [TieredController], options });
    const headers = plan === undefined ? {} : { [header]: plan };
    const seen: number[] = [];
    for (let time = 0; time < times; time++) seen.push((await send(path, { headers })).status);
    return seen;
  };

  it.each([
    ['a tier below the module', '/open', 'free', [200, 429, 429]],
    ['a tier above the module', '/open', 'enterprise', [200, 200, 200, 429]],
    ['no tier: the module', '/open', undefined, [200, 200, 429]],
    ['an unknown tier: the module', '/open', 'platinum', [200, 200, 429]],
    ['a name of Object.prototype: the module', '/open', 'constructor', [200, 200, 429]],
    ['a route of its own limit: that limit', '/own', 'enterprise', [200, 429]],
    ['a skipped route: none', '/skipped', 'free', [200, 200, 200]],
  ])('%s', async (_title, path, plan, expected) => {
    expect(await statuses(path, plan, expected.length)).toEqual(expected);
  });

  it('shows the limits of the tier', async () => {
    const { send } = await start(platform, { controllers: [TieredController], options });
    const answer = await send('/open', { headers: { [header]: 'enterprise' } });
    expect(answer.header('ratelimit-policy')).toBe('"3-per-second";q=3;w=1, "4-per-minute";q=4;w=60');
  });

  it('holds for tiers where the module itself has no limit', async () => {
    const { send } = await start(platform, {
      controllers: [TieredController],
      options: { rateLimit: { ...options.rateLimit, limits: false } },
    });
    const headers = { [header]: 'free' };
    const seen = [await send('/open', { headers }), await send('/open', { headers }), await send('/open')];
    expect(seen.map(({ status }) => status)).toEqual([200, 429, 200]);
  });
});
