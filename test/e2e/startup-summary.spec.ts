/* The summary that the module logs when the app has started. */
import { Controller, Post } from '@nestjs/common';
import { AllowCrossSite } from '../../src/index.js';
import { findOtherProcesses } from '../../src/common/several-processes.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, start } from '../support/start.js';

type Options = NonNullable<AppParts['options']>;

const keys = new TestKeys();
const PASSWORD = 'redis-password';
const FULL: Options = {
  hosts: ['api.example.com', '*.example.org'],
  cors: { origins: ['https://app.example.com', 'https://*.example.org'] },
  trustProxy: 'loopback, 10.0.0.0/8',
  rateLimit: { limits: ['100/minute'], flood: '50/second', tiers: { free: '5/minute' } },
  auth: {
    apiKeys: { store: keys.store, secret: SECRET },
    tokenEndpoint: { issuer: 'https://api.example.com', insecureEphemeralKey: true },
  },
  mcp: { path: '/mcp', network: 'private' },
};

/** What weakens the protection, and a part of its warning. */
const RISKS: readonly (readonly [title: string, options: Options, warning: string])[] = [
  ['any host', { hosts: { insecureAnyHost: true } }, 'hosts.insecureAnyHost'],
  ['no check of hosts', { hosts: false }, 'hosts is off'],
  ['pages of local files', { cors: { insecureFileOrigin: true } }, 'cors.insecureFileOrigin'],
  ['frames of every site', { headers: { framing: false } }, 'headers.framing'],
  ['any origin', { cors: { origins: '*' } }, 'cors.origins is "*"'],
  ['no limits', { rateLimit: false }, 'rateLimit is off'],
  ['shadow mode', { rateLimit: { shadow: true } }, 'rateLimit.shadow'],
  ['no flood limit', { rateLimit: { flood: false } }, 'rateLimit.flood'],
  ['an ephemeral key', FULL, 'insecureEphemeralKey'],
  [
    'unlimited guesses',
    { auth: { identify: () => undefined, failedAttempts: false } },
    'auth.failedAttempts',
  ],
  ['ambiguous paths', { url: { insecureAllow: ['encoded-slash'] } }, 'url.insecureAllow lists encoded-slash'],
  ['no check of URLs', { url: false }, 'url is off'],
  ['no check of bodies', { body: false }, 'body is off'],
];

describe.each(PLATFORMS)('the start-up summary on %s', (_title, platform) => {
  it('is one entry, with a line for each part', async () => {
    const { logger } = await start(platform, { options: FULL });
    const blocks = logger.find(/^Security:/);
    expect(blocks.map(({ level, context }) => [level, context])).toEqual([['log', 'AgentSecurity']]);
    expect(blocks[0]!.message.split('\n')).toEqual([
      'Security:',
      '  identity: API keys (auth.apiKeys.store), tokens of its own endpoint /oauth/token',
      '  hosts: api.example.com, *.example.org',
      "  origins: the app's own, https://app.example.com, https://*.example.org",
      '  limits: 100 requests per 1 minute per client; 50 requests per 1 second per address before routing; tiers free; ' +
        'counted in the memory of this process',
      '  trusted proxies: loopback, 10.0.0.0/8',
      '  MCP: /mcp; clients of network private',
      "  audit: Nest's log",
    ]);
  });

  it('names the routes of @AllowCrossSite()', async () => {
    @Controller('login')
    class LoginController {
      @AllowCrossSite(['https://appleid.apple.com'])
      @Post('callback')
      callback(): object {
        return {};
      }
    }
    const { logger } = await start(platform, { controllers: [LoginController] });
    expect(logger.find(/^Security:/)[0]!.message).toContain(
      "origins: the app's own; cross-site: POST /login/callback from https://appleid.apple.com",
    );
  });

  it('has no warning for the defaults', async () => {
    const { logger } = await start(platform);
    expect(logger.find(/^Security:/)).toHaveLength(1);
    expect(logger.find('', 'warn')).toEqual([]);
  });

  it.each(RISKS)('warns of %s', async (_row, options, warning) => {
    const { logger } = await start(platform, { options });
    expect(logger.find(warning, 'warn').map(({ context }) => context)).toEqual(['AgentSecurity']);
  });

  it('warns of limits in memory where several processes run', async () => {
    process.env['WEB_CONCURRENCY'] = '4';
    try {
      const { logger } = await start(platform);
      expect(logger.find('WEB_CONCURRENCY', 'warn')).toHaveLength(1);
    } finally {
      delete process.env['WEB_CONCURRENCY'];
    }
  });

  it.each<[string, Options]>([
    ['logging: false', { logging: false }],
    ['logging.summary: false', { logging: { summary: false } }],
  ])('is silenced by %s', async (_row, options) => {
    const { logger } = await start(platform, { options: { ...options, hosts: false } });
    expect(logger.find('hosts')).toEqual([]);
  });

  it('names the Redis server without its password', async () => {
    const { summarizeLimits } = await import('../../src/rate-limit/summarize-limits.js');
    const { resolveRateLimit } = await import('../../src/rate-limit/rate-limit.options.js');
    const variables: Record<string, string> = { REDIS_URL: `rediss://app:${PASSWORD}@redis.example:6380/0` };
    const { text, warnings } = summarizeLimits(resolveRateLimit({}, name => variables[name]));
    expect(text).toContain('counted in Redis at redis.example:6380');
    expect(text).not.toContain(PASSWORD);
    expect(warnings).toEqual([]);
  });
});

describe('other processes of the app', () => {
  const rows: [title: string, env: Record<string, string>, isWorker: boolean, found: RegExp][] = [
    ['are seen by a cluster worker', {}, true, /node:cluster/],
    ['are seen in WEB_CONCURRENCY', { WEB_CONCURRENCY: '2' }, false, /WEB_CONCURRENCY/],
    ['are not seen in a WEB_CONCURRENCY of one', { WEB_CONCURRENCY: '1' }, false, /^none$/],
    ['are seen under pm2', { pm_id: '0', instances: '4' }, false, /pm2/],
    ['are not seen in another variable "instances"', { instances: '4' }, false, /^none$/],
    ['are not seen without any of these', {}, false, /^none$/],
  ];
  it.each(rows)('%s', (_title, env, isWorker, found) => {
    const said = findOtherProcesses(env, isWorker);
    expect(said ?? 'none').toMatch(found);
  });
});
