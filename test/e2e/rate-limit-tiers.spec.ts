import { Controller, Get } from '@nestjs/common';
import {
  addKey,
  EMPTY_BOOK,
  type KeyBook,
  RateLimit,
  type SecurityEvent,
  SecurityEvents,
  SkipRateLimit,
} from '../../src/index.js';
import { digests, NOW_MS, SECRET } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

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

describe.each(PLATFORMS)('an unknown tier on %s', (_title, platform) => {
  const tiers = { free: '1/minute', enterprise: '1000/minute' };
  const book = (tier: string): KeyBook =>
    addKey(EMPTY_BOOK, 'reporting', { tier }, digests, { prefix: 'ask', nowMs: NOW_MS }).book;
  const startBook = (tier: string, rateLimit: object): Promise<RunningApp> =>
    start(platform, {
      controllers: [TieredController],
      options: { rateLimit, auth: { apiKeys: { book: book(tier), secret: SECRET } } },
    });

  it('of a key book stops the start-up, and says what was meant', async () => {
    await expect(startBook('enterpise', { tiers })).rejects.toMatchObject({
      code: 'ASEC_AUTH_KEYS',
      message:
        'auth.apiKeys.book gives the agent reporting the tier enterpise, which rateLimit.tiers does not name. ' +
        'Did you mean "enterprise"? [ASEC_AUTH_KEYS]',
    });
    await expect(startBook('gold', { tiers })).rejects.toThrow('Known tiers: free, enterprise.');
  });

  it.each<[string, string, object]>([
    ['a known tier', 'free', { tiers }],
    ['no tiers, where the app reads the tier itself', 'gold', {}],
    ['a function that finds the tier', 'gold', { tiers, tier: () => 'free' }],
  ])('is not %s', async (_row, tier, rateLimit) => {
    await expect(startBook(tier, rateLimit)).resolves.toBeDefined();
  });

  it('of auth.identify is an event and a log line, once a minute and client', async () => {
    const app = await start(platform, {
      controllers: [TieredController],
      options: { rateLimit: { tiers }, auth: { identify: () => ({ id: 'bot', tier: 'enterpise' }) } },
    });
    const events: SecurityEvent[] = [];
    app.app.get(SecurityEvents).on('limit.unknown-tier', event => events.push(event));
    for (let time = 0; time < 3; time++) expect((await app.send('/open')).status).toBe(200);
    expect(events).toEqual([
      expect.objectContaining({ tier: 'enterpise', agent: 'bot', address: '127.0.0.1' }),
    ]);
    expect(app.logger.find('limit.unknown-tier', 'warn')).toHaveLength(1);
    app.clock.advance(60_000);
    await app.send('/open');
    expect(events).toHaveLength(2);
  });

  it('is not the absence of a tier', async () => {
    const app = await start(platform, { controllers: [TieredController], options });
    await app.send('/open');
    expect(app.logger.find('limit.unknown-tier')).toEqual([]);
  });
});
