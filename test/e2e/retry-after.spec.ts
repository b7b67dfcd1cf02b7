/* Retry-After is exact: a rejected client is granted after that many seconds, and not a second sooner. Several clients call several routes
 * in a random order, so that the rejections come from every algorithm, from the guard and from before routing. */
import { Controller, Get } from '@nestjs/common';
import fc from 'fast-check';
import { RateLimit } from '../../src/index.js';
import type { Answer } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

@Controller()
class Routes {
  @Get('modules')
  modules(): string {
    return '';
  }

  @RateLimit('3/second', '7/minute')
  @Get('sliding')
  sliding(): string {
    return '';
  }

  @RateLimit({ limit: '5/10s', algorithm: 'fixed-window' })
  @Get('fixed')
  fixed(): string {
    return '';
  }

  @RateLimit({ limit: '6/minute', algorithm: 'token-bucket', burst: 3 })
  @Get('bucket')
  bucket(): string {
    return '';
  }

  @RateLimit({ limit: '4/7s', name: 'a' }, { limit: '10/minute', algorithm: 'token-bucket', name: 'b' })
  @Get('several')
  several(): string {
    return '';
  }

  @RateLimit({ limit: '100/minute', cost: 33 })
  @Get('dear')
  dear(): string {
    return '';
  }
}

/** The last has no route: it is counted before the guards. */
const PATHS = ['modules', 'sliding', 'fixed', 'bucket', 'several', 'dear', 'nowhere'];

interface Step {
  readonly path: string;
  readonly client: number;
  /** The pause after the answer. */
  readonly pauseMs: number;
  /** What the client does after a rejection. */
  readonly after: 'go on' | 'wait' | 'come too soon, then wait';
}

const step: fc.Arbitrary<Step> = fc.record({
  path: fc.oneof({ weight: 2, arbitrary: fc.constant('modules') }, fc.constantFrom(...PATHS)),
  client: fc.integer({ min: 1, max: 3 }),
  pauseMs: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    fc.double({ min: 0, max: 300, noNaN: true }),
    fc.integer({ min: 0, max: 3_000 }),
  ),
  after: fc.constantFrom('go on', 'go on', 'wait', 'come too soon, then wait'),
});

describe.each(PLATFORMS)('%s', (_title, platform) => {
  it('grants a client after Retry-After, and not a second sooner', async () => {
    const app = await start(platform, {
      controllers: [Routes],
      options: {
        trustProxy: 'loopback',
        rateLimit: { limits: ['10/second', '40/minute'], flood: '60/second' },
      },
    });
    let rejections = 0;
    const walk = async (steps: readonly Step[]): Promise<void> => {
      const untrue: unknown[] = [];
      for (const { path, client, pauseMs, after } of steps) {
        const sendStep = (): Promise<Answer> =>
          app.send(`/${path}`, { headers: { 'X-Forwarded-For': `192.0.2.${client}` } });
        const expectRejection = async (isRejected: boolean, denied: Answer): Promise<void> => {
          const answer = await sendStep();
          if ((answer.status === 429) !== isRejected)
            untrue.push([path, denied.header('RateLimit'), answer.header('RateLimit')]);
        };
        const answer = await sendStep();
        if (answer.status === 429) {
          rejections++;
          const seconds = Number(answer.header('Retry-After'));
          const tooSoonMs =
            after === 'come too soon, then wait' && seconds > 1 ? (seconds - 1) * 1000 - 1 : 0;
          app.clock.advance(tooSoonMs);
          if (tooSoonMs > 0) await expectRejection(true, answer);
          if (after !== 'go on') {
            app.clock.advance(seconds * 1000 - tooSoonMs);
            await expectRejection(false, answer);
          }
        }
        app.clock.advance(pauseMs);
      }
      expect(untrue).toEqual([]);
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 50, maxLength: 120, size: 'max' }), walk), {
      numRuns: 20,
      endOnFailure: true,
    });
    expect(rejections).toBeGreaterThan(50);
  });
});
