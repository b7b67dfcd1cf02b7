/* The health indicator in @nestjs/terminus, over HTTP. */
import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { AgentSecurityHealth, type AgentSecurityOptions, AuditTrail, Public } from '../../src/index.js';
import { createRedisStore } from '../../src/redis/index.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { closeAfterAll, describeWithRedis, startRedis, until } from '../support/redis.js';
import { start } from '../support/start.js';

@Public()
@Controller()
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly security: AgentSecurityHealth,
  ) {}

  @Get('health')
  @HealthCheck()
  check(): unknown {
    return this.health.check([() => this.security.check('security')]);
  }
}

const APP = { imports: [TerminusModule], controllers: [HealthController] };
const UNLIMITED = { limits: false, flood: false } as const;

describe.each(PLATFORMS)('%s', (_title, platform) => {
  const open = async (options: AgentSecurityOptions) => {
    const { send } = await start(platform, { ...APP, options });
    return async (): Promise<readonly unknown[]> => {
      const answer = await send('/health');
      const body = answer.json();
      // The problem of a 503 has no details of the app.
      return [answer.status, body.status === 503 ? body.code : body.details.security];
    };
  };

  it('is up where the app uses no part that can be down', async () => {
    const health = await open({ rateLimit: UNLIMITED, audit: false });
    expect(await health()).toEqual([200, { status: 'up' }]);
  });

  it('is down while the key store does not answer', async () => {
    const keys = new TestKeys();
    let isDown = false;
    const { store } = keys;
    const find = store.find.bind(store);
    jest.spyOn(store, 'find').mockImplementation(id => {
      if (isDown) throw new Error('gone');
      return find(id);
    });
    const health = await open({
      rateLimit: UNLIMITED,
      audit: false,
      auth: { apiKeys: { store, secret: SECRET } },
    });
    expect(await health()).toEqual([200, { status: 'up', keys: { status: 'up' } }]);
    isDown = true;
    expect((await health())[0]).toBe(503);
  });

  it('asks the key store once for all who ask at the same time', async () => {
    let asked = 0;
    let answer = (): void => undefined;
    const find = (): Promise<undefined> => {
      asked++;
      return new Promise(resolve => (answer = () => resolve(undefined)));
    };
    const options = { audit: false, auth: { apiKeys: { store: { find }, secret: SECRET } } } as const;
    const { app } = await start(platform, { ...APP, options });
    const health = app.get(AgentSecurityHealth);
    const checks = [health.check(), health.check('a'), health.check('b')];
    answer();
    expect((await Promise.all(checks)).map(result => Object.values(result)[0]?.status)).toEqual([
      'up',
      'up',
      'up',
    ]);
    expect(asked).toBe(1);
    const later = health.check();
    answer();
    await later;
    expect(asked).toBe(2);
  });

  it('is down while a sink of the audit fails', async () => {
    let isDown = true;
    const write = async (): Promise<void> => {
      if (isDown) throw new Error('full');
    };
    const { app, send } = await start(platform, {
      ...APP,
      options: { rateLimit: UNLIMITED, audit: { sinks: [{ name: 'siem', write }] } },
    });
    const audit = app.get(AuditTrail, { strict: false });
    expect((await send('/health')).status).toBe(200);
    expect(await audit.begin({ tool: 'wipe', impact: 'high' })).toMatchObject({ recorded: false });
    expect((await send('/health')).status).toBe(503);
    expect(await app.get(AgentSecurityHealth).check()).toEqual({
      'agent-security': { status: 'down', audit: { status: 'down', failing: ['siem'] } },
    });
    isDown = false;
    await audit.flush();
    expect((await send('/health')).status).toBe(200);
  });
});

describeWithRedis('with Redis, which ends and comes back', () => {
  it.each(PLATFORMS)('%s', async (_title, platform) => {
    const redis = await startRedis();
    const store = await createRedisStore(redis.url);
    closeAfterAll(() => store.close());
    const open = async (onStoreError: 'local' | 'deny') => {
      const { send, clock } = await start(platform, {
        ...APP,
        options: { audit: false, rateLimit: { store, onStoreError, exemptPaths: ['/health'], flood: false } },
      });
      return async () => {
        // An open circuit sends one request a second.
        clock.advance(1_000);
        const answer = await send('/health');
        return [answer.status, answer.status === 200 ? answer.json().details.security : undefined] as const;
      };
    };
    const [local, deny] = [await open('local'), await open('deny')];
    const up = [200, { status: 'up', limits: { status: 'up', circuit: 'closed' } }];
    expect([await local(), await deny()]).toEqual([up, up]);
    await redis.kill();
    expect(await local()).toEqual([
      200,
      { status: 'degraded', limits: { status: 'down', circuit: 'closed' } },
    ]);
    expect(await deny()).toEqual([503, undefined]);
    for (let check = 0; check < 5; check++) await local();
    expect(await local()).toEqual([200, { status: 'degraded', limits: { status: 'down', circuit: 'open' } }]);
    await redis.start();
    await until(async () => (await deny())[0] === 200);
    expect(await deny()).toEqual(up);
  });
});
