/* Which paths `mcp.path` covers, and what is said of those that it misses. */
import { All, Controller, type INestApplication, Post, Req, Res, VersioningType } from '@nestjs/common';
import fc from 'fast-check';
import { type PlatformRequest, type PlatformResponse, rawResponse } from '../../src/common/http-request.js';
import { calls, JSON_HEADERS, MCP_SERVERS, modern, SDK_SERVER, SdkController } from '../support/mcp.js';
import { type Platform, PLATFORMS, PLATFORMS_AND_MODES } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

const OPEN: NonNullable<AppParts['options']> = { rateLimit: { limits: false, flood: false } };
const DENIED = { mcp: {}, tools: { allow: {}, requireAgent: false } } as const;

const callTool = (app: RunningApp, path: string) => {
  const { body, headers } = modern('tools/call', { name: 'read_file', arguments: {} });
  return app.send(path, { body, headers });
};
const initialize = (app: RunningApp, path: string) =>
  app.send(path, {
    headers: JSON_HEADERS,
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
    }),
  });
const warnings = ({ logger }: RunningApp): string[] =>
  logger.find('answers MCP', 'warn').map(({ message }) => message);

/** The SDK's server of the other specs, where a decorator puts it. */
function sdkAt(decorate: ClassDecorator): AppParts {
  class Moved extends SdkController {}
  decorate(Moved);
  return { controllers: [Moved] };
}

type Mount = [title: string, path: string, parts: AppParts, configure: (app: INestApplication) => void];
const MOUNTS: Mount[] = [
  ['a global prefix', '/api/mcp', SDK_SERVER.parts, app => void app.setGlobalPrefix('api')],
  ['a prefix with slashes', '/a/b/mcp', SDK_SERVER.parts, app => void app.setGlobalPrefix('/a/b/')],
  [
    'a prefix that excludes it',
    '/mcp',
    SDK_SERVER.parts,
    app => void app.setGlobalPrefix('api', { exclude: ['mcp'] }),
  ],
  ['a prefix with a parameter', '/acme/mcp', SDK_SERVER.parts, app => void app.setGlobalPrefix(':tenant')],
  [
    'a URI version',
    '/v1/mcp',
    sdkAt(Controller({ version: '1' })),
    app => void app.enableVersioning({ type: VersioningType.URI }),
  ],
  [
    'a URI version with a prefix of its own',
    '/rev1/mcp',
    sdkAt(Controller({ version: '1' })),
    app => void app.enableVersioning({ type: VersioningType.URI, prefix: 'rev' }),
  ],
  [
    'a URI version without a prefix',
    '/1/mcp',
    sdkAt(Controller({ version: '1' })),
    app => void app.enableVersioning({ type: VersioningType.URI, prefix: false }),
  ],
  [
    'both',
    '/api/v2/mcp',
    sdkAt(Controller({ version: ['1', '2'] })),
    app => void app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI }),
  ],
];

describe.each(PLATFORMS_AND_MODES)('mcp.path on %s', (_title, platform) => {
  it.each(MOUNTS)('covers an endpoint under %s', async (_mount, path, parts, configure) => {
    const open = await start(platform, { ...parts, configure, options: { ...OPEN, mcp: false } });
    expect((await callTool(open, path)).status).toBe(200);
    expect(calls.splice(0)).toEqual(['read_file']);
    const app = await start(platform, { ...parts, configure, options: { ...OPEN, ...DENIED } });
    expect((await callTool(app, path)).status).toBe(403);
    expect([calls, warnings(app), app.logger.find('mcp.path')]).toEqual([[], [], []]);
  });
});

describe.each(PLATFORMS)('mcp.path on %s', (_title, platform) => {
  describe('with a parameter', () => {
    const parts = sdkAt(Controller(':tenant'));
    const options = (mcp: { path: string }): NonNullable<AppParts['options']> => ({
      ...OPEN,
      ...DENIED,
      mcp,
      url: false,
    });

    it('covers every value of it', async () => {
      const app = await start(platform, { ...parts, options: options({ path: '/:tenant/mcp' }) });
      expect((await callTool(app, '/acme/mcp')).status).toBe(403);
      expect(warnings(app)).toEqual([]);
    });

    it('covers every spelling that reaches the endpoint', async () => {
      const app = await start(platform, {
        ...parts,
        configure: each => void each.setGlobalPrefix('api'),
        options: options({ path: '/:tenant/mcp' }),
      });
      const token = fc.constantFrom(
        '/',
        'a',
        '%2f',
        '%61',
        ';',
        '%3b',
        ':',
        'mcp',
        '.',
        '..',
        '%',
        '%zz',
        'A',
        '//',
      );
      const spelling = fc
        .tuple(
          fc.constantFrom('/api', '/API', '/%61pi', '//api', '/api/', ''),
          fc.array(token, { maxLength: 4 }),
          fc.constantFrom('/mcp', '/MCP', '/mcp/', '/%6dcp', '//mcp', '/mcp;x', '/mcp%2f', '/m%63p/x'),
        )
        .map(([before, tenant, after]) => `${before}/${tenant.join('')}${after}`);
      await fc.assert(
        fc.asyncProperty(spelling, async path => {
          await callTool(app, path);
          expect(calls).toEqual([]);
        }),
        { numRuns: 300, seed: 11 },
      );
    });
  });

  it.each(['/mcp/*', '/*', '/a:b/mcp', '/{mcp}', '/(mcp)'])('rejects the pattern %s', async path => {
    await expect(start(platform, { options: { mcp: { path } } })).rejects.toMatchObject({
      code: 'ASEC_PATH_INVALID',
      option: 'mcp.path',
    });
  });

  describe('warns at start-up', () => {
    it('of a path that no route answers, and says what it covers', async () => {
      const app = await start(platform, {
        ...SDK_SERVER.parts,
        configure: each => void each.setGlobalPrefix('api'),
        options: { ...OPEN, mcp: { path: ['/mcp', '/other', '/:tenant/x'] } },
      });
      expect(app.logger.find('protects nothing', 'warn').map(({ message }) => message)).toEqual([
        'mcp.path "/other" protects nothing: no route of the app takes POST at "/other", "/api/other". ' +
          'If your MCP endpoint has another path, set mcp.path to it.',
        expect.stringContaining('"/:tenant/x", "/api/:tenant/x"'),
      ]);
    });

    it.each(MCP_SERVERS)('not of %s', async (_server, { parts }) => {
      const app = await start(platform, { ...parts, options: { ...OPEN, mcp: {} } });
      expect(app.logger.find('protects nothing')).toEqual([]);
    });

    it('of a path that only other methods answer', async () => {
      @Controller('mcp')
      class ReadOnly {
        @Post('x/y')
        answer(): string {
          return '';
        }
      }
      const app = await start(platform, {
        controllers: [ReadOnly],
        options: { ...OPEN, mcp: { path: '/mcp/x/z' } },
      });
      expect(app.logger.find('protects nothing')).toHaveLength(1);
    });
  });
});

describe.each(PLATFORMS)('an MCP endpoint outside mcp.path on %s', (_title, platform) => {
  const startAt = (path: string, options: AppParts['options'] = {}, parts = sdkAt(Controller(path))) =>
    start(platform, { ...parts, options: { ...OPEN, ...options } });

  it.each([
    ['of a client of revision 2025-11-25', initialize],
    ['of a client of revision 2026-07-28', callTool],
  ])('is logged once, by a request %s', async (_revision, sendMcp) => {
    const app = await startAt('tools', { mcp: { path: '/mcp' } });
    expect((await sendMcp(app, '/tools/mcp')).status).toBe(200);
    await sendMcp(app, '/tools/mcp?again');
    expect(warnings(app)).toEqual([
      'POST /tools/mcp answers MCP, and mcp.path does not cover it: its tool calls are neither checked nor recorded. ' +
        'Add it to mcp.path.',
    ]);
  });

  it.each(MCP_SERVERS)('is logged where the option mcp is not set: %s', async (_server, { parts }) => {
    const app = await startAt('', {}, parts);
    await initialize(app, '/mcp');
    expect(warnings(app)).toEqual([expect.stringContaining("Set mcp: { path: '/mcp' }")]);
  });

  it('is not logged with mcp: false, nor where mcp.path covers it', async () => {
    for (const mcp of [false, { path: '/tools/mcp' }] as const) {
      const app = await startAt('tools', { mcp });
      await initialize(app, '/tools/mcp');
      expect(warnings(app)).toEqual([]);
    }
  });

  it('is logged for 20 paths at most', async () => {
    const app = await startAt(':tenant', { mcp: { path: '/mcp' }, url: false });
    for (let count = 0; count < 25; count++) await initialize(app, `/${count}/mcp`);
    expect(warnings(app)).toHaveLength(20);
  });

  it('leaves other answers as they are', async () => {
    const seen = await startOther(platform);
    expect(seen).toEqual([]);
  });
});

async function startOther(platform: Platform): Promise<string[]> {
  @Controller()
  class OtherController {
    @Post('json')
    json(): object {
      return { jsonrpc: '1.0', protocolVersion: 'x' };
    }
    @Post('rpc')
    rpc(): object {
      return { jsonrpc: '2.0', id: 1, result: 'x'.repeat(100_000) };
    }
    @All('parts')
    parts(@Req() _request: PlatformRequest, @Res() response: PlatformResponse): void {
      response.hijack?.();
      const raw = rawResponse(response);
      raw.write('"jsonrpc":');
      raw.write(Buffer.from('"2.0"'));
      raw.end();
    }
  }
  const app = await start(platform, { controllers: [OtherController], options: OPEN });
  const answers = [];
  for (const path of ['/json', '/rpc', '/parts']) answers.push(await initialize(app, path));
  expect(answers.map(({ status, body }) => [status, body.length])).toEqual([
    [201, 39],
    [201, 100_036],
    [200, 15],
  ]);
  return warnings(app);
}
