/* Wildcards over domains below which anyone can have a name: `*.co.uk`, `*.vercel.app`. */
import type { AgentSecurityOptions } from '../../src/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

describe.each(PLATFORMS)('%s', (_title, platform) => {
  const refused: [
    title: string,
    options: AgentSecurityOptions,
    code: string,
    option: string,
    remedy: string,
  ][] = [
    ['a top-level domain', { hosts: ['a.test', '*.com'] }, 'ASEC_HOST_ANY', 'hosts[1]', 'my-app.com'],
    [
      'two labels',
      { hosts: { allow: ['*.co.uk:8443'] } },
      'ASEC_HOST_ANY',
      'hosts.allow[0]',
      '*.my-app.co.uk',
    ],
    [
      'the private part of the list',
      { hosts: ['*.GitHub.io'] },
      'ASEC_HOST_ANY',
      'hosts[0]',
      'my-app.GitHub.io',
    ],
    [
      'an internationalized suffix',
      { hosts: ['*.xn--p1ai'] },
      'ASEC_HOST_ANY',
      'hosts[0]',
      'my-app.xn--p1ai',
    ],
    [
      'hosts of MCP',
      { mcp: { hosts: ['*.onrender.com'] } },
      'ASEC_HOST_ANY',
      'mcp.hosts[0]',
      'my-app.onrender',
    ],
    [
      'an origin',
      { cors: { origins: ['https://*.co.uk'] } },
      'ASEC_ORIGIN_WILDCARD',
      'cors.origins[0]',
      'https://my-app.co.uk',
    ],
    [
      'an origin of a hosting provider',
      { cors: { origins: ['https://a.test', 'https://*.vercel.app'] } },
      'ASEC_ORIGIN_WILDCARD',
      'cors.origins[1]',
      'https://*.my-app.vercel.app',
    ],
  ];
  it.each(refused)(
    'stops the start-up at a wildcard over %s',
    async (_what, options, code, option, remedy) => {
      await expect(start(platform, { options })).rejects.toMatchObject({
        code,
        option,
        message: expect.stringContaining(remedy),
      });
    },
  );

  it('names the variable of the environment', async () => {
    process.env['CORS_ORIGINS'] = 'https://*.pages.dev';
    try {
      await expect(start(platform)).rejects.toMatchObject({
        code: 'ASEC_ORIGIN_WILDCARD',
        option: 'CORS_ORIGINS[0]',
      });
    } finally {
      delete process.env['CORS_ORIGINS'];
    }
  });

  it('takes wildcards over names of one owner, and over private names', async () => {
    const hosts = ['*.example.co.uk', '*.my-app.vercel.app', '*.localhost', '*.internal', '*.home.arpa'];
    const cors = {
      origins: ['https://*.example.com', 'https://*.my-app.github.io', 'http://*.localhost:5173'],
    };
    const app = await start(platform, { options: { hosts, cors } });
    expect((await app.send('/', { headers: { Host: 'a.my-app.vercel.app' } })).status).toBe(404);
    expect((await app.send('/', { headers: { Host: 'other.vercel.app' } })).status).toBe(421);
  });
});
