/* Exempt paths under a global prefix and versions, the warning of one that no route answers, and the log line of a probe that gets 421. */
import { Controller, Get, type INestApplication, VersioningType } from '@nestjs/common';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, start } from '../support/start.js';

@Controller('healthz')
class HealthController {
  @Get()
  check(): string {
    return 'well';
  }
}

@Controller({ path: 'ready', version: '2' })
class ReadyController {
  @Get()
  check(): string {
    return 'ready';
  }
}

@Controller(':tenant')
class TenantController {
  @Get(':page')
  page(): string {
    return 'page';
  }
}

const POD = { Host: '10.0.0.5:3000' };
const probes = { exemptPaths: ['/healthz', '/ready'] };
const options: AppParts['options'] = {
  hosts: probes,
  rateLimit: { limits: '2/minute', flood: '3/minute', ...probes },
};
const controllers = [HealthController, ReadyController, TenantController];
const versioned = (app: INestApplication): void => {
  app.setGlobalPrefix('api');
  app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
};

describe.each(PLATFORMS)('exempt paths on %s', (_title, platform) => {
  const rows: [title: string, configure: (app: INestApplication) => void, path: string, status: number][] = [
    ['without a prefix', () => undefined, '/healthz', 200],
    ['under the global prefix', app => void app.setGlobalPrefix('api'), '/api/healthz', 200],
    [
      'under a prefix of two segments',
      app => void app.setGlobalPrefix('/api/internal/'),
      '/api/internal/healthz',
      200,
    ],
    [
      'excluded from the prefix',
      app => void app.setGlobalPrefix('api', { exclude: ['healthz'] }),
      '/healthz',
      200,
    ],
    ['under the default version', versioned, '/api/v1/healthz', 200],
    ['under the version of a controller', versioned, '/api/v2/ready', 200],
    ['under a version that no route has', versioned, '/api/v9/healthz', 421],
    ['under another first segment', versioned, '/other/healthz', 421],
    ['with a longer path', versioned, '/api/v1/healthz/more', 421],
    ['in another case', versioned, '/api/v1/Healthz', 421],
  ];
  it.each(rows)('%s', async (_row, configure, path, status) => {
    const { send } = await start(platform, { controllers, options, configure });
    const statuses: number[] = [];
    for (let hit = 0; hit < 5; hit++) statuses.push((await send(path, { headers: POD })).status);
    // Beyond flood's 3 where the path is not exempt.
    expect(statuses).toEqual(status === 200 ? [200, 200, 200, 200, 200] : [421, 421, 421, 429, 429]);
  });

  it('as the path stands in the request line', async () => {
    const whole: AppParts['options'] = { hosts: { exemptPaths: ['/api/healthz'] } };
    const configure = (app: INestApplication): void => void app.setGlobalPrefix('api');
    const { send, logger } = await start(platform, { controllers, options: whole, configure });
    expect((await send('/api/healthz', { headers: POD })).status).toBe(200);
    expect(logger.find('exempts nothing', 'warn')).toEqual([]);
  });

  describe('a path that no route answers', () => {
    const warningsOf = async (parts: AppParts): Promise<string[]> => {
      const { logger } = await start(platform, parts);
      return logger.find('exempts nothing', 'warn').map(({ message }) => message);
    };

    it('is a warning at start-up', async () => {
      const unknown = { exemptPaths: ['/healthz', '/livez'] };
      const configure = (app: INestApplication): void => void app.setGlobalPrefix('api');
      const parts = {
        controllers: [HealthController],
        options: { hosts: unknown, rateLimit: unknown },
        configure,
      };
      expect(await warningsOf(parts)).toEqual([
        'hosts.exemptPaths "/livez" exempts nothing: no route of the app answers GET at "/livez", "/api/livez". Write the path of a route.',
        'rateLimit.exemptPaths "/livez" exempts nothing: no route of the app answers GET at "/livez", "/api/livez". Write the path of a route.',
      ]);
    });

    it('is none where a route has a parameter there, or takes another method', async () => {
      expect(
        await warningsOf({ controllers: [TenantController], options: { hosts: { exemptPaths: '/a/b' } } }),
      ).toEqual([]);
    });

    it('is none where a library answers it', async () => {
      const configure = (app: INestApplication): void => {
        const adapter = app.getHttpAdapter();
        adapter.get('/metrics', (_request: unknown, reply: { send(text: string): void }) =>
          reply.send('up 1'),
        );
      };
      expect(await warningsOf({ options: { hosts: { exemptPaths: ['/metrics'] } }, configure })).toEqual([]);
    });
  });

  it('the log line of a 421 names the path and the option', async () => {
    const { send, logger } = await start(platform, { controllers });
    await send('/healthz?x=1', { headers: POD });
    const [line] = logger.find('host_not_allowed', 'warn');
    expect(line!.message).toContain('received=10.0.0.5');
    expect(line!.message).toContain('path=/healthz');
    expect(line!.message).toContain(
      'If it is one of your hosts, add it to hosts (or ALLOWED_HOSTS). If it is a health probe, add "/healthz" to hosts.exemptPaths.',
    );
  });

  it('the log line of a 421 cannot be forged by the path', async () => {
    const { send, logger } = await start(platform, { controllers });
    await send(`/${'a'.repeat(500)}%0a"to hosts. x`.replaceAll(' ', '%20'), { headers: POD });
    const [line] = logger.find('host_not_allowed', 'warn');
    expect(line!.message.length).toBeLessThan(1_000);
    expect(line!.message).not.toContain('a'.repeat(400));
  });
});
