/* Mistakes in `auth` that stop the start-up. */
import { checkConfiguration, identify } from '../support/configuration.js';

checkConfiguration({
  rows: [
    ['auth: null', { auth: null }, 'ASEC_OPTIONS_MISSING', 'auth', 'is null'],
    ['auth: nothing to verify with', { auth: {} }, 'ASEC_AUTH_NONE', 'auth', 'AUTH_KEYS_FILE'],
    ['auth: keys switched off', { auth: { apiKeys: false } }, 'ASEC_AUTH_NONE', 'auth', 'or identify'],
    [
      'auth.apiKeys: no place',
      { auth: { apiKeys: {} } },
      'ASEC_AUTH_KEYS',
      'auth.apiKeys',
      'names no source of keys',
    ],
    [
      'auth.apiKeys: two places',
      { auth: { apiKeys: { file: 'a.json', book: { agents: {}, keys: [] } } } },
      'ASEC_AUTH_KEYS',
      'auth.apiKeys',
      'file, book',
    ],
    [
      'auth.apiKeys.store: no store',
      { auth: { apiKeys: { store: {} } } },
      'ASEC_OPTION_TYPE',
      'auth.apiKeys.store',
      'find(id)',
    ],
    [
      'auth.apiKeys.book: a typo',
      { auth: { apiKeys: { book: { agents: { a: { scope: ['x'] } }, keys: [] } } } },
      'ASEC_AUTH_KEYS',
      'auth.apiKeys.book',
      'agents["a"].scope is not a known field',
    ],
    [
      'auth.apiKeys.secret: short',
      { auth: { apiKeys: { file: 'a.json', secret: 'x'.repeat(31) } } },
      'ASEC_AUTH_SECRET',
      'auth.apiKeys.secret',
      'at least 32 characters',
    ],
    [
      'auth.apiKeys.secret: one twice',
      { auth: { apiKeys: { file: 'a.json', secret: ['x'.repeat(32), 'x'.repeat(32)] } } },
      'ASEC_AUTH_SECRET',
      'auth.apiKeys.secret',
      'different',
    ],
    [
      'auth.apiKeys.secret: none',
      { auth: { apiKeys: { file: 'a.json' } } },
      'ASEC_AUTH_SECRET',
      'AUTH_KEY_SECRET',
      'openssl',
    ],
    [
      'auth.apiKeys.prefix: with an underscore',
      { auth: { apiKeys: { file: 'a.json', secret: 'x'.repeat(32), prefix: 'a_b' } } },
      'ASEC_OPTION_TYPE',
      'auth.apiKeys.prefix',
      '"a_b"',
    ],
    [
      'auth.identify: no function',
      { auth: { identify: 'header' } },
      'ASEC_OPTION_TYPE',
      'auth.identify',
      '"header"',
    ],
    [
      'auth.failedAttempts: two limits',
      { auth: { identify, failedAttempts: '1/s, 5/min' } },
      'ASEC_OPTION_TYPE',
      'auth.failedAttempts',
      'one limit',
    ],
    [
      'auth.failedAttempts: true',
      { auth: { identify, failedAttempts: true } },
      'ASEC_OPTION_TYPE',
      'auth.failedAttempts',
      'true',
    ],
    [
      'auth.tokens: no algorithms',
      {
        auth: {
          resource: 'https://api.example.com',
          tokens: { issuer: 'https://login.example.com', jwksUri: 'https://login.example.com/jwks' },
        },
      },
      'ASEC_TOKEN_ALGORITHM',
      'auth.tokens.algorithms',
      'ES256',
    ],
    [
      'auth.tokens: none',
      {
        auth: {
          resource: 'https://api.example.com',
          tokens: {
            issuer: 'https://login.example.com',
            algorithms: ['none'],
            jwksUri: 'https://login.example.com/jwks',
          },
        },
      },
      'ASEC_TOKEN_ALGORITHM',
      'auth.tokens.algorithms[0]',
      'none',
    ],
    [
      'auth.tokens: no key',
      {
        auth: {
          resource: 'https://api.example.com',
          tokens: { issuer: 'https://login.example.com', algorithms: ['ES256'] },
        },
      },
      'ASEC_TOKEN_KEY',
      'auth.tokens',
      'jwksUri',
    ],
    ['auth.realm: a quote', { auth: { identify, realm: 'a"b' } }, 'ASEC_OPTION_TYPE', 'auth.realm', 'quotes'],
    [
      'auth.resource: http',
      { auth: { identify, resource: 'http://api.example.com' } },
      'ASEC_AUTH_URL',
      'auth.resource',
      'https',
    ],
    [
      'auth.resource: a fragment',
      { auth: { identify, resource: 'https://api.example.com/#a' } },
      'ASEC_AUTH_URL',
      'auth.resource',
      'fragment',
    ],
    [
      'auth.resourceMetadata: a path',
      { auth: { identify, resourceMetadata: '/.well-known/x' } },
      'ASEC_AUTH_URL',
      'auth.resourceMetadata',
      'https',
    ],
    [
      'auth.publicPaths: a pattern',
      { auth: { identify, publicPaths: ['/ws/*'] } },
      'ASEC_PATH_INVALID',
      'auth.publicPaths[0]',
      'exact',
    ],
  ],
});
