import { resolve } from 'node:path';
import * as surface from '../src/index.js';
import { ExampleProgram } from './support/examples.js';

/** Everything that a user can import at run time. A name that is added or lost is a change of the public contract. */
const NAMES = [
  'AgentSecurityConfigError',
  'AgentSecurityHealth',
  'AgentSecurityModule',
  'AgentTool',
  'AgentToolGuard',
  'AllowCrossSite',
  'AllowHosts',
  'AnyScope',
  'ApiKeyVerifier',
  'AuditTrail',
  'AuthGuard',
  'CLOCK',
  'ClientAddress',
  'ContentSecurityPolicy',
  'CspReports',
  'CurrentAgent',
  'EMPTY_BOOK',
  'FileKeyStore',
  'HostGuard',
  'KeyBookError',
  'KeyBookStore',
  'KeyDigests',
  'MaxBody',
  'NoStore',
  'PrivateNetworkGuard',
  'PrivateNetworkOnly',
  'ProblemDetailsFilter',
  'Public',
  'QuotaThrottlerStorage',
  'RateLimit',
  'RateLimitException',
  'RateLimitGuard',
  'RateLimiter',
  'RequestId',
  'RequestIdInterceptor',
  'Reserved',
  'SECURITY_EVENTS_CHANNEL',
  'SafePathPipe',
  'Scopes',
  'ScopesGuard',
  'SecurityEvents',
  'SecurityHeaders',
  'SecurityHeadersInterceptor',
  'Signal',
  'SkipRateLimit',
  'StrictSchemaPipe',
  'TIMERS',
  'Timeout',
  'TimeoutGuard',
  'ToolPolicy',
  'Verb',
  'addKey',
  'parseKeyBook',
  'revokeKey',
  'rotateKey',
  'setAgentDisabled',
  'signProxyRequest',
  'strictValidation',
];

describe('the public surface', () => {
  it('is exactly this', () => expect(Object.keys(surface).toSorted()).toEqual(NAMES));

  it('has no name without a value', () => {
    expect(Object.entries(surface).filter(([, value]) => value === undefined)).toEqual([]);
  });
});

describe('the docstrings of the public surface', () => {
  const planted = resolve(__dirname, '../src/planted.ts');
  let program: ExampleProgram;
  beforeAll(() => {
    program = new ExampleProgram({
      [planted]: [
        '/** Has a wrong example. @example AgentSecurityModule.forRoot({ hosts: 42 }) */',
        'export type Wrong = 1;',
        '/** Has an example that is no TypeScript. @example const a: = 1; */',
        'export type Broken = 2;',
        '/** Has no example. */',
        'export type Bare = 3;',
        '/** @example const silent: Silent = 4; */',
        'export type Silent = 4;',
      ].join('\n'),
    });
  }, 120_000);
  const isPlanted = (name: string): boolean => /^(?:Wrong|Broken|Bare|Silent)\b/.test(name);

  test('every export has a docstring with an @example', () => {
    const missing = program.exports
      .filter(({ text, examples }) => text === '' || examples.length === 0)
      .map(({ name }) => name);
    expect(missing.filter(name => !isPlanted(name))).toEqual([]);
    expect(missing).toEqual(['Bare', 'Silent']);
  });

  test('an example has at most 8 lines', () => {
    const long = program.exports.filter(({ examples }) => examples.some(one => one.split('\n').length > 8));
    expect(long.map(({ name }) => name)).toEqual([]);
  });

  test('every @example compiles', () => {
    const problems = program.problems();
    expect(problems.filter(problem => !isPlanted(problem))).toEqual([]);
    expect(problems).toEqual([
      expect.stringContaining("Wrong: Type 'number' is not assignable"),
      'Broken: Type expected.',
    ]);
  }, 120_000);
});
