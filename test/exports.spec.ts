import * as surface from '../src/index.js';

/** Everything that a user can import at run time. A name that is added or lost is a change of the public contract. */
const NAMES = [
  'AgentSecurityConfigError',
  'AgentSecurityModule',
  'AgentTool',
  'AgentToolGuard',
  'AllowHosts',
  'AnyScope',
  'ApiKeyVerifier',
  'AuditTrail',
  'AuthGuard',
  'Authenticator',
  'CLOCK',
  'ClientAddress',
  'ContentSecurityPolicy',
  'CspReports',
  'CurrentAgent',
  'EMPTY_BOOK',
  'FileKeyStore',
  'HostGuard',
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
