/* `undefined`, `null` and empty objects where options were meant: a misspelt name in an app's configuration must stop the start-up. */
import { Injectable, Module } from '@nestjs/common';
import {
  AgentSecurityModule,
  AgentTool,
  AllowCrossSite,
  AllowHosts,
  AnyScope,
  ContentSecurityPolicy,
  MaxBody,
  NoStore,
  Public,
  RateLimit,
  Scopes,
  SecurityHeaders,
  strictValidation,
  Timeout,
  Verb,
} from '../src/index.js';
import { CapturingLogger } from './support/logger.js';
import { createApp } from './support/start.js';
import { ManualClock } from './support/clock.js';
import { errorOf, findOptionKeys } from './support/option-keys.js';
import { MODULE_ROOT, OPTION_ROOTS } from './support/option-roots.js';
import { PLATFORMS } from './support/platforms.js';

const KEYS = OPTION_ROOTS.flatMap(root => findOptionKeys(root).map(key => [key.path, root, key] as const));

test('the options are found, at every depth', () => {
  expect(KEYS.length).toBeGreaterThan(180);
  expect(KEYS.map(([path]) => path)).toEqual(
    expect.arrayContaining([
      'auth',
      'hosts.allow',
      'auth.apiKeys.secret',
      'auth.tokens.dpop.required',
      'auth.tokens.claims.scopes',
      'auth.tokenEndpoint.dpop.maxAge',
      'auth.tokenEndpoint.signingKeys.file',
      'mcp.proxyProof.secrets',
      'rateLimit.limits.cost',
      'headers.xDnsPrefetchControl.allow',
      'headers.contentSecurityPolicy.reportOnly',
      '@AgentTool().scopes',
      '@SecurityHeaders().strictTransportSecurity.maxAge',
      'RedisQuotaStore.prefix',
      'forRootAsync().useFactory',
    ]),
  );
});

describe.each([undefined, null])('an option that is %p', lost => {
  it.each(KEYS)('%s', (path, root, key) => {
    const error = errorOf(() => root.read(key.with(lost)));
    expect([error?.code, error?.option]).toEqual(['ASEC_OPTIONS_MISSING', path]);
  });

  it.each([
    ['rateLimit.tiers.free', { rateLimit: { tier: () => 'free', tiers: { free: lost } } }],
    ['tools.allow.bot', { tools: { allow: { bot: lost } } }],
    ['tools.policies.send_mail', { tools: { policies: { send_mail: lost } } }],
    ['headers.permissionsPolicy.camera', { headers: { permissionsPolicy: { camera: lost } } }],
    ['headers.reportingEndpoints.csp', { headers: { reportingEndpoints: { csp: lost } } }],
    ['headers.contentSecurityPolicy.sandbox', { headers: { contentSecurityPolicy: { sandbox: lost } } }],
  ])('a member of a free record: %s', (option, options) => {
    expect(errorOf(() => MODULE_ROOT.read(options))).toMatchObject({ code: 'ASEC_OPTIONS_MISSING', option });
  });

  it('an override of strictValidation()', () => {
    expect(errorOf(() => strictValidation({ whitelist: lost as never }))?.option).toBe(
      'strictValidation().whitelist',
    );
  });
});

describe('a decorator without its argument stops when the class is defined', () => {
  const lost = undefined as never;
  const rows: [title: string, decorate: () => unknown][] = [
    ['@RateLimit()', () => RateLimit()],
    ['@RateLimit(undefined)', () => RateLimit(lost)],
    ['@Scopes()', () => Scopes()],
    ['@Scopes(undefined)', () => Scopes(lost)],
    ['@AnyScope()', () => AnyScope()],
    ['@AnyScope(undefined)', () => AnyScope(lost)],
    ['@AllowCrossSite(undefined)', () => AllowCrossSite(lost)],
    ['@AllowHosts()', () => AllowHosts()],
    ['@AllowHosts(undefined)', () => AllowHosts(lost)],
    ['@MaxBody(undefined)', () => MaxBody(lost)],
    ['@Timeout(undefined)', () => Timeout(lost)],
    ['@Timeout({})', () => Timeout({})],
    ['@AgentTool(undefined)', () => AgentTool(lost)],
    ['@AgentTool(name, undefined)', () => AgentTool('tool', lost)],
    ['@AgentTool(name, null)', () => AgentTool('tool', null as never)],
    ['@Public(undefined)', () => Public(lost)],
    ["@Public('false')", () => Public('false' as never)],
    ['@NoStore(undefined)', () => NoStore(lost)],
    ['@SecurityHeaders(undefined)', () => SecurityHeaders(lost)],
    ['@SecurityHeaders({})', () => SecurityHeaders({})],
    ['@SecurityHeaders(false)', () => SecurityHeaders(false as never)],
    ['@ContentSecurityPolicy(undefined)', () => ContentSecurityPolicy(lost)],
    ['@Verb(undefined)', () => Verb(lost)],
  ];
  const apply = (decorate: () => unknown): unknown => (decorate() as ClassDecorator)(class {});
  it.each(rows)('%s', (_title, decorate) => expect(errorOf(() => apply(decorate))).toBeDefined());

  it('and works where the argument may be left out', () => {
    expect(() => [Public(), NoStore(), AgentTool('tool')]).not.toThrow();
  });
});

describe('options that are missing as a whole', () => {
  it.each<[string, () => unknown]>([
    ['forRoot(undefined)', () => AgentSecurityModule.forRoot(undefined as never)],
    ['forRoot(null)', () => AgentSecurityModule.forRoot(null as never)],
    ['forRoot({}, undefined)', () => AgentSecurityModule.forRoot({}, undefined as never)],
    ['forRootAsync(undefined)', () => AgentSecurityModule.forRootAsync(undefined as never)],
    ['forRootAsync({})', () => AgentSecurityModule.forRootAsync({})],
  ])('%s', (_title, call) => expect(errorOf(call)?.code).toBe('ASEC_OPTIONS_MISSING'));

  it('are not missed by forRoot()', () => expect(() => AgentSecurityModule.forRoot()).not.toThrow());
});

describe.each(PLATFORMS)('a factory without options stops the start-up on %s', (_title, platform) => {
  const returned: [title: string, value: unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['an empty object', {}],
    ['a promise of undefined', Promise.resolve()],
  ];
  const startWith = (security: ReturnType<typeof AgentSecurityModule.forRootAsync>): Promise<unknown> =>
    createApp(platform, { security }, new CapturingLogger(), new ManualClock());

  it.each(returned)('useFactory: %s', async (_name, value) => {
    const security = AgentSecurityModule.forRootAsync({ useFactory: () => value as never });
    await expect(startWith(security)).rejects.toMatchObject({ code: 'ASEC_OPTIONS_MISSING' });
  });

  it.each(returned)('useClass: %s', async (_name, value) => {
    @Injectable()
    class Source {
      createAgentSecurityOptions = () => value as never;
    }
    const security = AgentSecurityModule.forRootAsync({ useClass: Source });
    await expect(startWith(security)).rejects.toMatchObject({ code: 'ASEC_OPTIONS_MISSING' });
  });

  it.each(returned)('useExisting: %s', async (_name, value) => {
    @Injectable()
    class Source {
      createAgentSecurityOptions = () => value as never;
    }
    @Module({ providers: [Source], exports: [Source] })
    class SourceModule {}
    const security = AgentSecurityModule.forRootAsync({ imports: [SourceModule], useExisting: Source });
    await expect(startWith(security)).rejects.toMatchObject({ code: 'ASEC_OPTIONS_MISSING' });
  });
});
