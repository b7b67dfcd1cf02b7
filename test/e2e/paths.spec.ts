/* No spelling of a path leads around what protects it: a route is reached together with its rules, or not at all. */
import { type CanActivate, Controller, Get, Injectable, Param, UseGuards } from '@nestjs/common';
import { AllowHosts, RateLimit } from '../../src/index.js';
import { loadCases, type PathCase } from '../fixtures/load-cases.js';
import { exchange } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, startShared } from '../support/start.js';

let ran: string[] = [];
let guarded = 0;
beforeEach(() => {
  ran = [];
  guarded = 0;
});

@Injectable()
class AdminGuard implements CanActivate {
  canActivate(): boolean {
    guarded++;
    return true;
  }
}

@Controller()
class Routes {
  @Get()
  root(): object {
    ran.push('root');
    return {};
  }

  @Get('admin')
  @AllowHosts('admin.test')
  admin(): object {
    ran.push('admin');
    return {};
  }

  @Get('counted')
  @UseGuards(AdminGuard)
  @RateLimit('1/hour')
  counted(): object {
    ran.push('counted');
    return {};
  }

  @Get('public')
  public(): object {
    ran.push('public');
    return {};
  }

  @Get('health')
  health(): object {
    ran.push('health');
    return {};
  }

  @Get('items/:id')
  item(@Param('id') id: string): object {
    ran.push(`item ${id.length}`);
    return {};
  }
}

function targetOf({ id, target }: PathCase): string {
  // The table shortens it.
  return id === 'P072' ? '/a'.repeat(3000) : target;
}

describe.each(PLATFORMS)('paths on %s', (_title, platform) => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await startShared(platform, {
      controllers: [Routes],
      options: {
        hosts: { allow: ['api.test', 'admin.test'], exemptPaths: ['/health'] },
        rateLimit: { limits: false, flood: false, exemptPaths: ['/health'] },
      },
    });
  });
  beforeEach(() => app.clock.advance(86_400_000));

  const rows = loadCases('paths').cases;
  const titled = rows.map(row => [row.id, JSON.stringify(row.target.slice(0, 60)), row] as const);

  it.each(titled)('%s %s never reaches /admin around its rule', async (_id, _target, row) => {
    const { answers } = await exchange(
      app.port,
      `GET ${targetOf(row)} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n`,
    );
    // Whatever reaches the route meets its @AllowHosts(), which does not list api.test.
    expect(ran).not.toContain('admin');
    const [answer] = answers;
    expect(answers.length).toBe(1);
    expect(answer!.status).toBeLessThan(500);
    expect(answer!.body).not.toContain('evil-marker');
  });

  it.each(titled)('%s %s is no exempt path for another host', async (_id, _target, row) => {
    const target = targetOf(row);
    const { answers } = await exchange(
      app.port,
      `GET ${target} HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n`,
    );
    expect(ran.filter(route => route !== 'health')).toEqual([]);
    // `#` ends the path for both platforms and for this package alike: such a target is /health.
    const exempt = target.startsWith('/health#');
    expect([exempt, answers[0]!.status >= 400 && answers[0]!.status < 500]).toEqual([exempt, !exempt]);
  });

  const spellings = rows
    .filter(({ target }) => target.includes('admin'))
    .map(row =>
      targetOf(row)
        .replaceAll('admin', 'counted')
        .replaceAll('%61%64%6d%69%6e', '%63ounted')
        .replace('Admin', 'COUNTED'),
    );

  it.each(
    [...spellings, '/%63ounted', '/COUNTED', '/counted/'].map(target => [
      JSON.stringify(target.slice(0, 60)),
      target,
    ]),
  )('%s wins no second quota', async (_title, target) => {
    const first = await app.send('/counted', { headers: { Host: 'api.test' } });
    expect([first.status, ran, guarded]).toEqual([200, ['counted'], 1]);
    const { answers } = await exchange(
      app.port,
      `GET ${target} HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n`,
    );
    expect(ran.filter(route => route === 'counted')).toEqual(['counted']);
    expect(answers[0]!.status).toBeLessThan(500);
  });
});
