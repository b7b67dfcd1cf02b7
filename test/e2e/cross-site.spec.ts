/* @AllowCrossSite(): routes that pages of other sites send a POST to by design. */
import { All, Controller, Get, HttpCode, Post, Put, VersioningType } from '@nestjs/common';
import { AllowCrossSite, AgentSecurityConfigError } from '../../src/index.js';
import { CrossSiteRoutes } from '../../src/cors/cross-site-routes.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, start } from '../support/start.js';

const APPLE = 'https://appleid.apple.com';
const IDP = 'https://login.idp.example';

let ran: string[] = [];
beforeEach(() => {
  ran = [];
});

@Controller('login')
class Login {
  @Post('apple')
  @AllowCrossSite([APPLE])
  apple(): object {
    ran.push('apple');
    return {};
  }

  @Put('apple')
  change(): object {
    ran.push('change');
    return {};
  }

  @Post('saml')
  @AllowCrossSite(['https://*.idp.example', 'null'])
  saml(): object {
    ran.push('saml');
    return {};
  }

  @Post('anywhere')
  @AllowCrossSite(['*'])
  anywhere(): object {
    ran.push('anywhere');
    return {};
  }

  @Post('by/delete-all')
  deleteAll(): object {
    ran.push('delete-all');
    return {};
  }

  @Post('by/:provider')
  @AllowCrossSite([IDP])
  byProvider(): object {
    ran.push('by');
    return {};
  }

  @All('any-method')
  @HttpCode(201)
  @AllowCrossSite([IDP])
  anyMethod(): object {
    ran.push('any-method');
    return {};
  }

  @Post('plain')
  plain(): object {
    ran.push('plain');
    return {};
  }
}

describe.each(PLATFORMS)('@AllowCrossSite() on %s', (_title, platform) => {
  const launch = (parts: AppParts = {}) => start(platform, { controllers: [Login], ...parts });

  type Row = [title: string, path: string, origin: string | undefined, runs: string | undefined];
  const rows: Row[] = [
    ['accepts a listed origin', '/login/apple', APPLE, 'apple'],
    ['rejects another origin', '/login/apple', IDP, undefined],
    ['rejects null where it is not listed', '/login/apple', 'null', undefined],
    ['rejects a request without an Origin', '/login/apple', undefined, undefined],
    ['accepts null where it is listed', '/login/saml', 'null', 'saml'],
    ['accepts a wildcard', '/login/saml', IDP, 'saml'],
    ['accepts every origin by *', '/login/anywhere', 'https://evil.test', 'anywhere'],
    ['accepts a path with a parameter', '/login/by/okta', IDP, 'by'],
    ['rejects a route that hides under such a path', '/login/by/delete-all', IDP, undefined],
    ['accepts @All()', '/login/any-method', IDP, 'any-method'],
    ['opens no other route', '/login/plain', APPLE, undefined],
    ['opens no other spelling: case', '/LOGIN/apple', APPLE, undefined],
    ['opens no other spelling: slash', '/login/apple/', APPLE, undefined],
    ['opens no other spelling: escape', '/login/%61pple', APPLE, undefined],
    ['opens nothing below the path', '/login/apple/more', APPLE, undefined],
  ];
  it.each(rows)('%s', async (_what, path, origin, runs) => {
    const app = await launch();
    const headers = { 'Sec-Fetch-Site': 'cross-site', ...(origin === undefined ? {} : { Origin: origin }) };
    const answer = await app.send(path, { method: 'POST', headers });
    expect([answer.status, answer.json().code, ran]).toEqual(
      runs === undefined ? [403, 'origin_not_allowed', []] : [201, undefined, [runs]],
    );
    expect(answer.header('access-control-allow-origin')).toBeUndefined();
    expect(answer.header('vary')).toContain('Origin');
  });

  it.each(['PUT', 'OPTIONS'])('opens no %s', async method => {
    const app = await launch();
    const headers = { Origin: APPLE, 'Access-Control-Request-Method': 'POST' };
    const answer = await app.send('/login/apple', { method, headers });
    expect([answer.status, ran]).toEqual([403, []]);
  });

  it('follows the global prefix and the version, and lists the routes', async () => {
    const app = await launch({
      configure: nest => {
        nest.setGlobalPrefix('api');
        nest.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
      },
    });
    const headers = { Origin: APPLE };
    expect((await app.send('/api/v1/login/apple', { method: 'POST', headers })).status).toBe(201);
    expect((await app.send('/login/apple', { method: 'POST', headers })).status).toBe(403);
    expect(app.app.get(CrossSiteRoutes, { strict: false }).list()).toEqual(
      expect.arrayContaining([
        { path: '/api/v1/login/apple', origins: [APPLE] },
        { path: '/api/v1/login/by/:provider', origins: [IDP] },
      ]),
    );
  });

  it('does not change what cors allows', async () => {
    const app = await launch({ options: { cors: { origins: [APPLE] } } });
    const answer = await app.send('/login/plain', { method: 'POST', headers: { Origin: APPLE } });
    expect([answer.status, answer.header('access-control-allow-origin')]).toEqual([201, APPLE]);
  });

  it('stops the start-up on a path with a pattern', async () => {
    @Controller()
    class Pattern {
      @Post('callback/*rest')
      @AllowCrossSite([APPLE])
      callback(): object {
        return {};
      }
    }
    await expect(launch({ controllers: [Pattern] })).rejects.toMatchObject({
      code: 'ASEC_PATH_INVALID',
      option: '@AllowCrossSite()',
    });
  });

  it.each([
    ['a public suffix', 'login', ['https://*.vercel.app'], 'ASEC_ORIGIN_WILDCARD'],
    ['every origin under a parameter', ':provider', ['*'], 'ASEC_PATH_INVALID'],
    ['"null" under a parameter', ':provider', ['null'], 'ASEC_PATH_INVALID'],
  ])('stops the start-up on %s', async (_what, path, origins, code) => {
    @Controller()
    class Wide {
      @Post(path)
      @AllowCrossSite(origins)
      login(): object {
        return {};
      }
    }
    await expect(launch({ controllers: [Wide] })).rejects.toMatchObject({ code });
  });

  it.each([[[]], [['appleid.apple.com']], [['*', APPLE]], [undefined], ['https://a.test']])(
    'rejects %j when the class is defined',
    origins => {
      expect(() => AllowCrossSite(origins as never)).toThrow(AgentSecurityConfigError);
    },
  );

  it('has no guard in an app without such a route', async () => {
    @Controller()
    class None {
      @Get('none')
      none(): object {
        return {};
      }
    }
    const app = await launch({ controllers: [None] });
    expect(app.app.get(CrossSiteRoutes, { strict: false }).list()).toEqual([]);
    expect((await app.send('/none', { method: 'POST', headers: { Origin: APPLE } })).status).toBe(403);
  });
});
