import { inspect } from 'node:util';
import {
  type AgentSecurityOptions,
  type ResolvedOptions,
  resolveOptions,
} from '../src/agent-security.options.js';
import {
  AgentSecurityConfigError,
  CONFIG_ERROR_CODES,
  type ConfigErrorCode,
} from '../src/common/config-error.js';

type Variables = Readonly<Record<string, string>>;
const resolve = (input: unknown, variables: Variables = {}): ResolvedOptions =>
  resolveOptions(input, name => variables[name]);

function rejection(input: unknown, variables?: Variables): AgentSecurityConfigError {
  try {
    resolve(input, variables);
  } catch (error) {
    if (error instanceof AgentSecurityConfigError) return error;
    throw error;
  }
  throw new Error('nothing was rejected');
}

const identify = (): undefined => undefined;

type Row = [title: string, input: unknown, code: ConfigErrorCode, option: string, says: string];

const options: Row[] = [
  ['options that are no object', 5, 'ASEC_OPTION_TYPE', 'options', 'received 5'],
  ['options that are a list', [], 'ASEC_OPTION_TYPE', 'options', 'an object'],
  ['options that are null', null, 'ASEC_OPTIONS_MISSING', 'options', 'is null'],
  ['options that are undefined', undefined, 'ASEC_OPTIONS_MISSING', 'options', 'is undefined'],
  ['hosts: null', { hosts: null }, 'ASEC_OPTIONS_MISSING', 'hosts', 'is null'],
  ['hosts.allow: null', { hosts: { allow: null } }, 'ASEC_OPTIONS_MISSING', 'hosts.allow', 'is null'],
  ['cors: null', { cors: null }, 'ASEC_OPTIONS_MISSING', 'cors', 'is null'],
  ['cors.origins: null', { cors: { origins: null } }, 'ASEC_OPTIONS_MISSING', 'cors.origins', 'is null'],
  ['rateLimit: null', { rateLimit: null }, 'ASEC_OPTIONS_MISSING', 'rateLimit', 'is null'],
  [
    'rateLimit.limits: null',
    { rateLimit: { limits: null } },
    'ASEC_OPTIONS_MISSING',
    'rateLimit.limits',
    'is null',
  ],
  [
    'rateLimit.flood: null',
    { rateLimit: { flood: null } },
    'ASEC_OPTIONS_MISSING',
    'rateLimit.flood',
    'is null',
  ],
  [
    'rateLimit.limits: too many',
    { rateLimit: { limits: Array.from({ length: 17 }, (_, index) => `${index + 1}/minute`) } },
    'ASEC_OPTION_TYPE',
    'rateLimit.limits',
    '17 limits',
  ],
  [
    'rateLimit.limits: one name by two algorithms',
    { rateLimit: { limits: ['5/minute', { limit: '5/minute', algorithm: 'fixed-window' }] } },
    'ASEC_LIMIT_NAME',
    'rateLimit.limits',
    '5-per-minute',
  ],

  ['hosts: true', { hosts: true }, 'ASEC_OPTION_TYPE', 'hosts', 'an object'],
  ['hosts: text', { hosts: 'a.test' }, 'ASEC_OPTION_TYPE', 'hosts', '"a.test"'],
  ['hosts: a number in the list', { hosts: ['a.test', 1] }, 'ASEC_OPTION_TYPE', 'hosts[1]', 'received 1'],
  ['hosts: none', { hosts: [] }, 'ASEC_HOST_NONE', 'hosts', 'every request would be rejected'],
  ['hosts: a bare wildcard', { hosts: ['*'] }, 'ASEC_HOST_ANY', 'hosts[0]', 'insecureAnyHost'],
  [
    'hosts: a scheme',
    { hosts: ['a.test', 'https://api.test/x'] },
    'ASEC_HOST_SCHEME',
    'hosts[1]',
    'Write "api.test"',
  ],
  ['hosts: a path', { hosts: ['api.test/x'] }, 'ASEC_HOST_INVALID', 'hosts[0]', '"api.test/x"'],
  ['hosts: a leading dot', { hosts: ['.api.test'] }, 'ASEC_HOST_INVALID', 'hosts[0]', '"*.name"'],
  ['hosts: a wildcard inside', { hosts: ['a.*.test'] }, 'ASEC_HOST_INVALID', 'hosts[0]', '"a.*.test"'],
  ['hosts: a wildcard port', { hosts: ['a.test:*'] }, 'ASEC_HOST_INVALID', 'hosts[0]', '"a.test:*"'],
  ['hosts: a wildcard over an address', { hosts: ['*.[::1]'] }, 'ASEC_HOST_INVALID', 'hosts[0]', '"*.[::1]"'],
  ['hosts: other letters', { hosts: ['bücher.test'] }, 'ASEC_HOST_INVALID', 'hosts[0]', 'xn--'],
  ['hosts: an empty name', { hosts: [''] }, 'ASEC_HOST_INVALID', 'hosts[0]', '""'],
  [
    'hosts.allow: a scheme',
    { hosts: { allow: ['http://a.test'] } },
    'ASEC_HOST_SCHEME',
    'hosts.allow[0]',
    '"a.test"',
  ],
  [
    'hosts.exemptPaths: a parameter',
    { hosts: { exemptPaths: ['/:tenant/healthz'] } },
    'ASEC_PATH_INVALID',
    'hosts.exemptPaths[0]',
    '/:tenant/healthz',
  ],
  [
    'hosts.exemptPaths: a pattern',
    { hosts: { exemptPaths: ['/health*'] } },
    'ASEC_PATH_INVALID',
    'hosts.exemptPaths[0]',
    'no pattern',
  ],
  [
    'hosts.insecureAnyHost: text',
    { hosts: { insecureAnyHost: 'yes' } },
    'ASEC_OPTION_TYPE',
    'hosts.insecureAnyHost',
    'true or false',
  ],

  ['cors: true', { cors: true }, 'ASEC_OPTION_TYPE', 'cors', 'an object'],
  [
    'cors.origins: a path',
    { cors: { origins: ['https://a.test/x'] } },
    'ASEC_ORIGIN_INVALID',
    'cors.origins[0]',
    '"https://a.test/x"',
  ],
  [
    'cors.origins: everybody’s hosts',
    { cors: { origins: ['https://*.com'] } },
    'ASEC_ORIGIN_WILDCARD',
    'cors.origins[0]',
    'a domain of your own',
  ],
  [
    'cors.origins: "*" with credentials',
    { cors: { origins: '*', credentials: true } },
    'ASEC_CORS_ANY_WITH_CREDENTIALS',
    'cors.origins',
    'any site could act',
  ],
  [
    'cors.credentials: text',
    { cors: { credentials: 'include' } },
    'ASEC_OPTION_TYPE',
    'cors.credentials',
    'true or false, received a text of 7 characters',
  ],
  ['cors.methods: TRACE', { cors: { methods: ['TRACE'] } }, 'ASEC_CORS_METHOD', 'cors.methods[0]', '"TRACE"'],
  [
    'cors.allowedHeaders: Cookie',
    { cors: { allowedHeaders: ['Cookie'] } },
    'ASEC_CORS_HEADER',
    'cors.allowedHeaders[0]',
    '"Cookie"',
  ],
  [
    'cors.exposedHeaders: Set-Cookie',
    { cors: { exposedHeaders: ['Set-Cookie'] } },
    'ASEC_CORS_HEADER',
    'cors.exposedHeaders[0]',
    '"Set-Cookie"',
  ],
  [
    'cors.exposedHeaders: "*" with credentials',
    { cors: { exposedHeaders: ['*'], credentials: true } },
    'ASEC_CORS_HEADER',
    'cors.exposedHeaders[0]',
    'List the headers',
  ],

  ['headers: true', { headers: true }, 'ASEC_OPTION_TYPE', 'headers', 'an object'],
  [
    'headers: a directive that is none',
    { headers: { contentSecurityPolicy: { 'script src': "'self'" } } },
    'ASEC_CSP_DIRECTIVE',
    'headers.contentSecurityPolicy.script src',
    'the name of a directive',
  ],
  [
    'headers: a keyword without quotes',
    { headers: { contentSecurityPolicy: { scriptSrc: 'self' } } },
    'ASEC_CSP_DIRECTIVE',
    'headers.contentSecurityPolicy.scriptSrc',
    `"'self'"`,
  ],
  [
    'headers: a semicolon in a source',
    { headers: { contentSecurityPolicy: { scriptSrc: "'self'; object-src *" } } },
    'ASEC_CSP_DIRECTIVE',
    'headers.contentSecurityPolicy.scriptSrc',
    'without ";"',
  ],
  [
    'headers: a directive twice',
    { headers: { htmlContentSecurityPolicy: { scriptSrc: "'self'", 'script-src': '*' } } },
    'ASEC_CSP_DIRECTIVE',
    'headers.htmlContentSecurityPolicy.script-src',
    'a second time',
  ],
  [
    'headers: a policy without a directive',
    { headers: { contentSecurityPolicyReportOnly: true } },
    'ASEC_CSP_DIRECTIVE',
    'headers.contentSecurityPolicyReportOnly',
    'has no directive',
  ],
  [
    'headers: two policies that only report',
    {
      headers: {
        contentSecurityPolicy: { reportOnly: true },
        contentSecurityPolicyReportOnly: { defaultSrc: '*' },
      },
    },
    'ASEC_CSP_DIRECTIVE',
    'headers.contentSecurityPolicyReportOnly',
    'a second report-only policy',
  ],
  [
    'headers: an opener policy that is none',
    { headers: { crossOriginOpenerPolicy: { policy: 'same' } } },
    'ASEC_OPTION_TYPE',
    'headers.crossOriginOpenerPolicy.policy',
    '"same-origin"',
  ],
  [
    'headers: a resource policy that is none',
    { headers: { crossOriginResourcePolicy: { policy: 'all' } } },
    'ASEC_OPTION_TYPE',
    'headers.crossOriginResourcePolicy.policy',
    '"all"',
  ],
  [
    'headers: an embedder policy that is none',
    { headers: { crossOriginEmbedderPolicy: { policy: 'all' } } },
    'ASEC_OPTION_TYPE',
    'headers.crossOriginEmbedderPolicy.policy',
    '"all"',
  ],
  [
    'headers: a framing that is none',
    { headers: { xFrameOptions: { action: 'allow-from' } } },
    'ASEC_OPTION_TYPE',
    'headers.xFrameOptions.action',
    '"deny", "sameorigin"',
  ],
  [
    'headers: a referrer policy that is none',
    { headers: { referrerPolicy: { policy: ['no-referrer', 'never'] } } },
    'ASEC_OPTION_TYPE',
    'headers.referrerPolicy.policy',
    '"never"',
  ],
  [
    'headers: cross-domain policies that are none',
    { headers: { xPermittedCrossDomainPolicies: { permittedPolicies: 'x' } } },
    'ASEC_OPTION_TYPE',
    'headers.xPermittedCrossDomainPolicies.permittedPolicies',
    '"x"',
  ],
  [
    'headers: text for a switch',
    { headers: { xContentTypeOptions: 'nosniff' } },
    'ASEC_OPTION_TYPE',
    'headers.xContentTypeOptions',
    '"nosniff"',
  ],
  [
    'headers: prefetching: text',
    { headers: { xDnsPrefetchControl: { allow: 'on' } } },
    'ASEC_OPTION_TYPE',
    'headers.xDnsPrefetchControl.allow',
    '"on"',
  ],
  [
    'headers: a feature that is none',
    { headers: { permissionsPolicy: { 'a=b': [] } } },
    'ASEC_HEADER_VALUE',
    'headers.permissionsPolicy.a=b',
    'a feature name',
  ],
  [
    'headers: an allow list that is none',
    { headers: { permissionsPolicy: { camera: 'none' } } },
    'ASEC_HEADER_VALUE',
    'headers.permissionsPolicy.camera',
    '"none"',
  ],
  [
    'headers: an endpoint over HTTP',
    { headers: { reportingEndpoints: { csp: 'http://a.test' } } },
    'ASEC_HEADER_VALUE',
    'headers.reportingEndpoints.csp',
    'an https URL',
  ],
  [
    'headers: no endpoint',
    { headers: { reportingEndpoints: {} } },
    'ASEC_HEADER_VALUE',
    'headers.reportingEndpoints',
    'received {}',
  ],
  [
    'headers: preload on a short promise',
    { headers: { strictTransportSecurity: { preload: true, maxAge: 300 } } },
    'ASEC_HEADER_VALUE',
    'headers.strictTransportSecurity.preload',
    '31536000',
  ],
  [
    'headers: preload without subdomains',
    { headers: { strictTransportSecurity: { preload: true, includeSubDomains: false } } },
    'ASEC_HEADER_VALUE',
    'headers.strictTransportSecurity.preload',
    'includeSubDomains',
  ],

  ['noStore: text', { noStore: 'force' }, 'ASEC_OPTION_TYPE', 'noStore', '"force"'],
  ['noStore: null', { noStore: null }, 'ASEC_OPTIONS_MISSING', 'noStore', 'is null'],

  [
    'requestId.header: a space',
    { requestId: { header: 'X Request' } },
    'ASEC_REQUEST_ID_HEADER',
    'requestId.header',
    '"X Request"',
  ],
  [
    'requestId.accept: text',
    { requestId: { accept: 'uuid' } },
    'ASEC_OPTION_TYPE',
    'requestId.accept',
    'a regular expression',
  ],
  [
    'requestId.generate: text',
    { requestId: { generate: 'uuid' } },
    'ASEC_OPTION_TYPE',
    'requestId.generate',
    'a function',
  ],

  ['rateLimit: true', { rateLimit: true }, 'ASEC_OPTION_TYPE', 'rateLimit', 'an object'],
  [
    'rateLimit.limits: a number',
    { rateLimit: { limits: 10 } },
    'ASEC_OPTION_TYPE',
    'rateLimit.limits',
    'received 10',
  ],
  [
    'rateLimit.limits: none',
    { rateLimit: { limits: [] } },
    'ASEC_OPTION_TYPE',
    'rateLimit.limits',
    'names no limit',
  ],
  [
    'rateLimit.limits: no limit in one',
    { rateLimit: { limits: [{ name: 'a' }] } },
    'ASEC_OPTION_TYPE',
    'rateLimit.limits.limit',
    'must be a limit',
  ],
  [
    'rateLimit.limits: minute or month',
    { rateLimit: { limits: '10/m' } },
    'ASEC_LIMIT_SYNTAX',
    'rateLimit.limits',
    'minute or a month',
  ],
  [
    'rateLimit.limits: a wrong one among others',
    { rateLimit: { limits: ['1/s', 'ten per minute'] } },
    'ASEC_LIMIT_SYNTAX',
    'rateLimit.limits[1]',
    '"ten per minute"',
  ],
  [
    'rateLimit.limits: none at all',
    { rateLimit: { limits: '0/minute' } },
    'ASEC_LIMIT_RANGE',
    'rateLimit.limits',
    'a limit of 0 is none',
  ],
  [
    'rateLimit.limits: a name with a quote',
    { rateLimit: { limits: [{ limit: '1/s', name: 'a"b' }] } },
    'ASEC_LIMIT_NAME',
    'rateLimit.limits.name',
    'letters, digits',
  ],
  [
    'rateLimit.limits: a name for two',
    { rateLimit: { limits: [{ limit: '1/s, 2/min', name: 'a' }] } },
    'ASEC_LIMIT_NAME',
    'rateLimit.limits.name',
    'cannot name several',
  ],
  [
    'rateLimit.limits: a name twice',
    {
      rateLimit: {
        limits: [
          { limit: '1/s', name: 'a' },
          { limit: '2/s', name: 'a' },
        ],
      },
    },
    'ASEC_LIMIT_NAME',
    'rateLimit.limits',
    'two limits one name',
  ],
  [
    'rateLimit.limits: a name that another limit has of itself',
    { rateLimit: { limits: [{ limit: '10/minute', name: '10-per-second' }, '10/second'] } },
    'ASEC_LIMIT_NAME',
    'rateLimit.limits',
    'two limits one name',
  ],
  [
    'rateLimit.limits: slots with two leases',
    {
      rateLimit: {
        limits: [
          { limit: 5, algorithm: 'concurrency' },
          { limit: '5/10 minutes', algorithm: 'concurrency' },
        ],
      },
    },
    'ASEC_LIMIT_NAME',
    'rateLimit.limits',
    'two limits one name',
  ],
  [
    'rateLimit.limits: a cost that the limit never gives',
    { rateLimit: { limits: [{ limit: '10/minute', cost: 11 }] } },
    'ASEC_LIMIT_RANGE',
    'rateLimit.limits.cost',
    'at most 10',
  ],
  [
    'rateLimit.messages: a cost that the bucket never holds',
    { rateLimit: { messages: { limit: '100/minute', algorithm: 'token-bucket', burst: 10, cost: 11 } } },
    'ASEC_LIMIT_RANGE',
    'rateLimit.messages.cost',
    'at most 10',
  ],
  [
    'rateLimit.messages: null',
    { rateLimit: { messages: null } },
    'ASEC_OPTIONS_MISSING',
    'rateLimit.messages',
    'is null',
  ],
  [
    'rateLimit.tier without tiers',
    { rateLimit: { tier: () => 'free' } },
    'ASEC_OPTION_TYPE',
    'rateLimit.tier',
    'names tiers that have no limits, received [Function: tier]',
  ],
  [
    'rateLimit.limits: an algorithm that is none',
    { rateLimit: { limits: [{ limit: '1/s', algorithm: 'leaky' }] } },
    'ASEC_OPTION_TYPE',
    'rateLimit.limits.algorithm',
    '"token-bucket"',
  ],
  [
    'rateLimit.limits: a burst without a bucket',
    { rateLimit: { limits: [{ limit: '1/s', burst: 5 }] } },
    'ASEC_OPTION_TYPE',
    'rateLimit.limits.burst',
    'token-bucket',
  ],
  [
    'rateLimit.limits: a key that is none',
    { rateLimit: { limits: [{ limit: '1/s', key: 'ip' }] } },
    'ASEC_OPTION_TYPE',
    'rateLimit.limits.key',
    '"address"',
  ],
  [
    'rateLimit.flood: true',
    { rateLimit: { flood: true } },
    'ASEC_OPTION_TYPE',
    'rateLimit.flood',
    'a limit or false',
  ],
  [
    'rateLimit.flood: two limits',
    { rateLimit: { flood: '1/s, 2/min' } },
    'ASEC_OPTION_TYPE',
    'rateLimit.flood',
    'one limit',
  ],
  [
    'rateLimit.flood: syntax',
    { rateLimit: { flood: '100 a second' } },
    'ASEC_LIMIT_SYNTAX',
    'rateLimit.flood',
    '"100 a second"',
  ],
  [
    'rateLimit.key: a header',
    { rateLimit: { key: 'x-api-key' } },
    'ASEC_OPTION_TYPE',
    'rateLimit.key',
    '"client"',
  ],
  [
    'rateLimit.exemptPaths: a query',
    { rateLimit: { exemptPaths: ['/x?y'] } },
    'ASEC_PATH_INVALID',
    'rateLimit.exemptPaths[0]',
    '"/x?y"',
  ],
  [
    'rateLimit.store: no storage',
    { rateLimit: { store: {} } },
    'ASEC_OPTION_TYPE',
    'rateLimit.store',
    'increment',
  ],
  [
    'rateLimit.headers: text',
    { rateLimit: { headers: 'draft-7' } },
    'ASEC_OPTION_TYPE',
    'rateLimit.headers',
    '"draft-7"',
  ],
  [
    'rateLimit.shadow: a number',
    { rateLimit: { shadow: 1 } },
    'ASEC_OPTION_TYPE',
    'rateLimit.shadow',
    'received 1',
  ],

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

  ['trustProxy: true', { trustProxy: true }, 'ASEC_TRUST_ALL', 'trustProxy', 'choose its own address'],
  ['trustProxy: a name', { trustProxy: 'my-proxy' }, 'ASEC_TRUST_INVALID', 'trustProxy', '"my-proxy"'],
  [
    'trustProxy: everybody',
    { trustProxy: ['0.0.0.0/0'] },
    'ASEC_TRUST_INVALID',
    'trustProxy',
    'every address',
  ],

  ['methods: in lower case', { methods: ['GET', 'post'] }, 'ASEC_METHOD_NAME', 'methods[1]', '"post"'],
  ['methods: TRACE', { methods: ['TRACE'] }, 'ASEC_METHOD_NAME', 'methods[0]', 'never served'],
  ['methods: a verb', { methods: ['SUMMARIZE'] }, 'ASEC_METHOD_NAME', 'methods[0]', '@Verb()'],
  ['methods: none', { methods: [] }, 'ASEC_METHOD_NAME', 'methods', 'empty list'],
  ['methods: a text', { methods: 'GET' }, 'ASEC_OPTION_TYPE', 'methods', 'a list of strings'],
  [
    'url.insecureAllow: an unknown form',
    { url: { insecureAllow: ['slash'] } },
    'ASEC_OPTION_TYPE',
    'url.insecureAllow[0]',
    '"encoded-slash"',
  ],
  ['url: true', { url: true }, 'ASEC_OPTION_TYPE', 'url', 'an object'],
  [
    'body.duplicateKeys: false',
    { body: { duplicateKeys: false } },
    'ASEC_OPTION_TYPE',
    'body.duplicateKeys',
    '"reject"',
  ],
  ['timeout: no unit', { timeout: '30' }, 'ASEC_OPTION_TYPE', 'timeout.handler', '"30"'],
  ['timeout: 0', { timeout: 0 }, 'ASEC_OPTION_RANGE', 'timeout.handler', 'received 0'],
  ['timeout: NaN', { timeout: Number.NaN }, 'ASEC_OPTION_RANGE', 'timeout.handler', 'NaN'],
  ['timeout: null', { timeout: null }, 'ASEC_OPTIONS_MISSING', 'timeout', 'is null'],
  [
    'timeout.headers: beyond a timer',
    { timeout: { headers: '1000h' } },
    'ASEC_OPTION_RANGE',
    'timeout.headers',
    '"1000h"',
  ],
  ['timeout.idle: true', { timeout: { idle: true } }, 'ASEC_OPTION_TYPE', 'timeout.idle', 'received true'],
  [
    'cspReports.path: a quote',
    { cspReports: { path: '/a"b' } },
    'ASEC_PATH_INVALID',
    'cspReports.path',
    'an exact path',
  ],
  [
    'errors.typeBase: no URI',
    { errors: { typeBase: 'api problems' } },
    'ASEC_OPTION_TYPE',
    'errors.typeBase',
    'a URI',
  ],
  [
    'errors.exposeMessages: text',
    { errors: { exposeMessages: 'no' } },
    'ASEC_OPTION_TYPE',
    'errors.exposeMessages',
    '"no"',
  ],

  ['body: true', { body: true }, 'ASEC_OPTION_TYPE', 'body', 'an object'],
  [
    'body.maxBytes: a size that is none',
    { body: { maxBytes: '10 megs' } },
    'ASEC_OPTION_TYPE',
    'body.maxBytes',
    '"10 megs"',
  ],
  ['tools: null', { tools: null }, 'ASEC_OPTIONS_MISSING', 'tools', 'is null'],
  [
    'tools.policies: a Map',
    { tools: { policies: new Map() } },
    'ASEC_OPTION_TYPE',
    'tools.policies',
    'a plain object',
  ],
  [
    'tools.allow: a promise',
    { tools: { allow: Promise.resolve({}) } },
    'ASEC_OPTION_TYPE',
    'tools.allow',
    'a plain object',
  ],
  [
    'rateLimit.tiers: a Map',
    { rateLimit: { tier: () => 'a', tiers: new Map([['a', '1/minute']]) } },
    'ASEC_OPTION_TYPE',
    'rateLimit.tiers',
    'a plain object',
  ],
  [
    'audit.logger: off, and nothing else',
    { audit: { logger: false } },
    'ASEC_OPTION_TYPE',
    'audit.logger',
    'leaves no place for audit records',
  ],
  ['mcp.path: a pattern', { mcp: { path: '/mcp/*' } }, 'ASEC_PATH_INVALID', 'mcp.path', '/mcp/*'],
  [
    'mcp.path: a part of a segment',
    { mcp: { path: ['/x', '/a:b'] } },
    'ASEC_PATH_INVALID',
    'mcp.path[1]',
    '/a:b',
  ],
  ['mcp.path: none', { mcp: { path: [] } }, 'ASEC_PATH_INVALID', 'mcp.path', 'names no path'],
  [
    'mcp.origins: a path',
    { mcp: { origins: ['https://a.test/x'] } },
    'ASEC_ORIGIN_INVALID',
    'mcp.origins[0]',
    'https://a.test/x',
  ],
  ['mcp.hosts: none', { mcp: { hosts: [] } }, 'ASEC_HOST_NONE', 'mcp.hosts', 'empty list'],
  ['mcp.maxBytes: text', { mcp: { maxBytes: 'much' } }, 'ASEC_OPTION_TYPE', 'mcp.maxBytes', '"much"'],
  ['mcp.versions: a number', { mcp: { versions: ['2'] } }, 'ASEC_OPTION_TYPE', 'mcp.versions[0]', '"2"'],
  [
    'mcp.publicTools: a space',
    { mcp: { publicTools: ['a b'] } },
    'ASEC_TOOL_NAME',
    'mcp.publicTools[0]',
    'a b',
  ],
  ['mcp.network: a typo', { mcp: { network: 'local' } }, 'ASEC_OPTION_TYPE', 'mcp.network', '"local"'],
  [
    'mcp.proxyProof: a short secret',
    { mcp: { proxyProof: { secrets: ['hunter2'] } } },
    'ASEC_PROXY_SECRET',
    'mcp.proxyProof.secrets',
    '32 characters',
  ],
  [
    'mcp.proxyProof: no header',
    { mcp: { proxyProof: { secrets: ['x'.repeat(32)], header: 'a b' } } },
    'ASEC_OPTION_TYPE',
    'mcp.proxyProof.header',
    'a b',
  ],
  [
    'webSockets.requireTls: text',
    { webSockets: { requireTls: 'yes' } },
    'ASEC_OPTION_TYPE',
    'webSockets.requireTls',
    '"yes"',
  ],
  [
    'rateLimit.messages: syntax',
    { rateLimit: { messages: '5 a day' } },
    'ASEC_LIMIT_SYNTAX',
    'rateLimit.messages',
    '5 a day',
  ],
  ['tools.allow: a list', { tools: { allow: ['read_*'] } }, 'ASEC_OPTION_TYPE', 'tools.allow', 'read_*'],
  ['tools.allow: a text', { tools: { allow: { a: 'x' } } }, 'ASEC_OPTION_TYPE', 'tools.allow.a', '"x"'],
  [
    'tools.allow: undefined',
    { tools: { allow: { a: undefined } } },
    'ASEC_OPTIONS_MISSING',
    'tools.allow.a',
    'undefined',
  ],
  [
    'tools.allow: a name that is none',
    { tools: { allow: { a: ['x y'] } } },
    'ASEC_TOOL_NAME',
    'tools.allow.a[0]',
    '"x y"',
  ],
  [
    'tools.allow: an agent that is none',
    { tools: { allow: { 'a b': [] } } },
    'ASEC_TOOL_NAME',
    'tools.allow.a b',
    '"a b"',
  ],
  [
    'tools.policies: a name that is none',
    { tools: { policies: { '': {} } } },
    'ASEC_TOOL_NAME',
    'tools.policies.',
    '""',
  ],
  [
    'tools.policies: an unknown key',
    { tools: { policies: { a: { limits: '1/s' } } } },
    'ASEC_OPTION_UNKNOWN',
    'tools.policies.a.limits',
    'Did you mean "limit"?',
  ],
  [
    'tools.policies: a limit of zero',
    { tools: { policies: { a: { limit: '0/s' } } } },
    'ASEC_LIMIT_RANGE',
    'tools.policies.a.limit',
    '"0/s"',
  ],
  [
    'tools.policies: a limit with a key',
    { tools: { policies: { a: { limit: { limit: '1/s', key: 'global' } } } } },
    'ASEC_OPTION_UNKNOWN',
    'tools.policies.a.limit.key',
    'Known here: limit, algorithm, burst',
  ],
  [
    'tools.policies: an alert without a limit',
    { tools: { policies: { a: { alertAt: [0.5] } } } },
    'ASEC_TOOL_ALERT',
    'tools.policies.a.alertAt',
    'needs a limit',
  ],
  ...[0, -1, 1.5, NaN, '1', 101].map((alert): Row => [
    `tools.policies: an alert at ${inspect(alert)} of 100`,
    { tools: { policies: { a: { limit: '100/hour', alertAt: [alert] } } } },
    'ASEC_TOOL_ALERT',
    'tools.policies.a.alertAt[0]',
    `received ${typeof alert === 'string' ? '"1"' : String(alert)}`,
  ]),
  [
    'tools.policies: a scope with a quote',
    { tools: { policies: { a: { scopes: ['a"b'] } } } },
    'ASEC_TOOL_SCOPE',
    'tools.policies.a.scopes[0]',
    'received',
  ],
  [
    'tools.policies: an impact that is none',
    { tools: { policies: { a: { impact: 'severe' } } } },
    'ASEC_OPTION_TYPE',
    'tools.policies.a.impact',
    '"severe"',
  ],
  ['audit: true', { audit: true }, 'ASEC_OPTION_TYPE', 'audit', 'received true'],
  [
    'audit.key: a short one',
    { audit: { key: 'hunter2' } },
    'ASEC_AUDIT_KEY',
    'audit.key',
    'received 7 characters',
  ],
  [
    'audit.sinks: a function',
    { audit: { sinks: [() => 0] } },
    'ASEC_OPTION_TYPE',
    'audit.sinks',
    'a list of sinks',
  ],
  [
    'audit.redactPatterns: texts',
    { audit: { redactPatterns: ['a'] } },
    'ASEC_OPTION_TYPE',
    'audit.redactPatterns',
    'regular expressions',
  ],
  ['audit.maxQueued: 1', { audit: { maxQueued: 1 } }, 'ASEC_OPTION_RANGE', 'audit.maxQueued', 'received 1'],
];

type VariableRow = [title: string, variables: Variables, code: ConfigErrorCode, option: string, says: string];
const variables: VariableRow[] = [
  [
    'ALLOWED_HOSTS: a scheme',
    { ALLOWED_HOSTS: 'a.test,https://b.test' },
    'ASEC_HOST_SCHEME',
    'ALLOWED_HOSTS[1]',
    '"b.test"',
  ],
  [
    'ALLOWED_HOSTS: a bare wildcard',
    { ALLOWED_HOSTS: '*' },
    'ASEC_HOST_ANY',
    'ALLOWED_HOSTS[0]',
    'insecureAnyHost',
  ],
  [
    'ALLOWED_HOSTS: an empty item',
    { ALLOWED_HOSTS: 'a.test,' },
    'ASEC_HOST_INVALID',
    'ALLOWED_HOSTS[1]',
    '""',
  ],
  [
    'ALLOWED_HOSTS: broken JSON',
    { ALLOWED_HOSTS: '["a.test",]' },
    'ASEC_OPTION_TYPE',
    'ALLOWED_HOSTS',
    'a JSON array',
  ],
  [
    'ALLOWED_HOSTS: an empty JSON array',
    { ALLOWED_HOSTS: '[]' },
    'ASEC_HOST_INVALID',
    'ALLOWED_HOSTS[0]',
    '"[]"',
  ],
  [
    'CORS_ORIGINS: no scheme',
    { CORS_ORIGINS: 'app.test' },
    'ASEC_ORIGIN_INVALID',
    'CORS_ORIGINS[0]',
    '"app.test"',
  ],
  [
    'CORS_ORIGINS: "*" with CORS_CREDENTIALS',
    { CORS_ORIGINS: '*', CORS_CREDENTIALS: 'true' },
    'ASEC_CORS_ANY_WITH_CREDENTIALS',
    'CORS_ORIGINS',
    'List the origins',
  ],
  [
    'CORS_CREDENTIALS: yes',
    { CORS_CREDENTIALS: 'yes' },
    'ASEC_OPTION_TYPE',
    'CORS_CREDENTIALS',
    'a text of 3',
  ],
  ['CORS_MAX_AGE: text', { CORS_MAX_AGE: '10m' }, 'ASEC_OPTION_TYPE', 'CORS_MAX_AGE', '"10m"'],
  ['CORS_MAX_AGE: a fraction', { CORS_MAX_AGE: '1.5' }, 'ASEC_OPTION_TYPE', 'CORS_MAX_AGE', '"1.5"'],
  ['CORS_MAX_AGE: negative', { CORS_MAX_AGE: '-1' }, 'ASEC_OPTION_RANGE', 'CORS_MAX_AGE', '-1'],
  ['CORS_MAX_AGE: NaN', { CORS_MAX_AGE: 'NaN' }, 'ASEC_OPTION_TYPE', 'CORS_MAX_AGE', '"NaN"'],
  ['RATE_LIMIT: syntax', { RATE_LIMIT: '10 a second' }, 'ASEC_LIMIT_SYNTAX', 'RATE_LIMIT', '"10 a second"'],
  ['RATE_LIMIT: NaN', { RATE_LIMIT: 'NaN/second' }, 'ASEC_LIMIT_SYNTAX', 'RATE_LIMIT', '"NaN/second"'],
  [
    'RATE_LIMIT: 0',
    { RATE_LIMIT: '10/second, 0/minute' },
    'ASEC_LIMIT_RANGE',
    'RATE_LIMIT',
    'a limit of 0 is none',
  ],
  ['TRUST_PROXY: true', { TRUST_PROXY: 'true' }, 'ASEC_TRUST_ALL', 'TRUST_PROXY', 'Name the proxies'],
  ['TRUST_PROXY: a name', { TRUST_PROXY: 'nginx' }, 'ASEC_TRUST_INVALID', 'TRUST_PROXY', 'nginx'],
  ['TRUST_PROXY: too many hops', { TRUST_PROXY: '33' }, 'ASEC_OPTION_RANGE', 'TRUST_PROXY', '33'],
  [
    'AUDIT_KEY: a short one',
    { AUDIT_KEY: 'hunter2' },
    'ASEC_AUDIT_KEY',
    'AUDIT_KEY',
    'received 7 characters',
  ],
];

/** Every place that takes a number. */
const numbers: [option: string, input: (value: unknown) => unknown][] = [
  ['cors.maxAge', maxAge => ({ cors: { maxAge } })],
  [
    'headers.strictTransportSecurity.maxAge',
    maxAge => ({ headers: { strictTransportSecurity: { maxAge } } }),
  ],
  ['rateLimit.maxClients', maxClients => ({ rateLimit: { maxClients } })],
  ['rateLimit.limits.cost', cost => ({ rateLimit: { limits: [{ limit: '1/s', cost }] } })],
  [
    'rateLimit.limits.burst',
    burst => ({ rateLimit: { limits: [{ limit: '1/s', algorithm: 'token-bucket', burst }] } }),
  ],
  ['trustProxy', trustProxy => ({ trustProxy })],
  ['body.maxBytes', maxBytes => ({ body: { maxBytes } })],
  ['body.maxDepth', maxDepth => ({ body: { maxDepth } })],
  ['body.maxKeys', maxKeys => ({ body: { maxKeys } })],
  ['url.maxLength', maxLength => ({ url: { maxLength } })],
];

/** An unknown key at every level, and the name that is offered for it. */
const unknownKeys: [option: string, input: unknown, offered: string][] = [
  ['host', { host: [] }, 'hosts'],
  ['ratelimit', { ratelimit: {} }, 'rateLimit'],
  ['trustproxy', { trustproxy: 1 }, 'trustProxy'],
  ['hosts.allowed', { hosts: { allowed: [] } }, 'allow'],
  ['cors.origin', { cors: { origin: '*' } }, 'origins'],
  ['headers.hsts', { headers: { hsts: true } }, ''],
  ['headers.xFrameOption', { headers: { xFrameOption: true } }, 'xFrameOptions'],
  [
    'headers.strictTransportSecurity.max-age',
    { headers: { strictTransportSecurity: { 'max-age': 1 } } },
    'maxAge',
  ],
  [
    'headers.crossOriginOpenerPolicy.polcy',
    { headers: { crossOriginOpenerPolicy: { polcy: 'x' } } },
    'policy',
  ],
  ['headers.xFrameOptions.actions', { headers: { xFrameOptions: { actions: 'deny' } } }, 'action'],
  [
    'headers.contentSecurityPolicy.reportonly',
    { headers: { contentSecurityPolicy: { directives: {}, reportonly: true } } },
    'reportOnly',
  ],
  ['requestId.headers', { requestId: { headers: 'X-Request-ID' } }, 'header'],
  ['rateLimit.limit', { rateLimit: { limit: '1/s' } }, 'limits'],
  ['rateLimit.limits.limits', { rateLimit: { limits: [{ limits: '1/s' }] } }, 'limit'],
  ['errors.typebase', { errors: { typebase: '/' } }, 'typeBase'],
  ['body.maxByte', { body: { maxByte: 1 } }, 'maxBytes'],
  ['url.insecureAllowed', { url: { insecureAllowed: [] } }, 'insecureAllow'],
  ['timeout.handlers', { timeout: { handlers: '5s' } }, 'handler'],
  ['cspReports.paths', { cspReports: { paths: '/x' } }, 'path'],
  ['method', { method: ['GET'] }, 'methods'],
  ['mcp.paths', { mcp: { paths: '/mcp' } }, 'path'],
  ['webSockets.requireTLS', { webSockets: { requireTLS: true } }, 'requireTls'],
];

describe('a bad configuration stops the start-up', () => {
  it.each(options)('%s', (_title, input, code, option, says) => {
    const error = rejection(input);
    expect([error.code, error.option]).toEqual([code, option]);
    expect(error.message).toContain(says);
    expect(error.message.endsWith(`[${code}]`)).toBe(true);
  });

  it.each(variables)('%s', (_title, environment, code, option, says) => {
    const error = rejection({}, environment);
    expect([error.code, error.option]).toEqual([code, option]);
    expect(error.message).toContain(says);
  });

  describe.each(numbers)('%s', (option, input) => {
    it.each([NaN, -1, 1.5, Infinity, -Infinity])('refuses %p', value => {
      const error = rejection(input(value));
      expect([error.code, error.option]).toEqual(['ASEC_OPTION_RANGE', option]);
      expect(error.message).toContain(String(value));
    });

    it.each(['2', '', true, [1], 2n])('refuses %p', value => {
      const error = rejection(input(value));
      expect(error.option).toBe(option);
      expect(['ASEC_OPTION_TYPE', 'ASEC_TRUST_INVALID', 'ASEC_TRUST_ALL']).toContain(error.code);
    });

    it('takes 1', () => expect(() => resolve(input(1))).not.toThrow());
  });

  it.each(unknownKeys)('the unknown key %s', (option, input, offered) => {
    const error = rejection(input);
    expect([error.code, error.option]).toEqual(['ASEC_OPTION_UNKNOWN', option]);
    expect(error.message).toContain(offered === '' ? 'Known here: ' : `Did you mean "${offered}"?`);
  });

  it('is tested for every code but those that only a whole app can earn', () => {
    const tested = new Set<string>(['ASEC_OPTION_UNKNOWN', 'ASEC_OPTION_RANGE']);
    for (const [, , code] of [...options, ...variables]) tested.add(code);
    expect(CONFIG_ERROR_CODES.filter(code => !tested.has(code))).toEqual([
      'ASEC_TOOL_TWICE',
      'ASEC_AUDIT_FILE',
      'ASEC_MODULE_TWICE',
      'ASEC_MCP_NETWORK',
      'ASEC_AUTH_ROUTE',
    ]);
  });

  it('reads the environment only where the options are silent', () => {
    const bad = {
      ALLOWED_HOSTS: '*',
      CORS_ORIGINS: 'x',
      CORS_CREDENTIALS: 'x',
      CORS_MAX_AGE: 'x',
      RATE_LIMIT: 'x',
      TRUST_PROXY: 'x',
      AUDIT_KEY: 'x',
    };
    const given = {
      hosts: ['a.test'],
      cors: { origins: [], credentials: false, maxAge: 1 },
      rateLimit: { limits: '1/s' },
      trustProxy: false,
      audit: { key: 'x'.repeat(32) },
    } as const;
    expect(() => resolve(given, bad)).not.toThrow();
    expect(() =>
      resolve({ hosts: false, cors: false, rateLimit: false, trustProxy: false, audit: false }, bad),
    ).not.toThrow();
  });
});

describe('a cost', () => {
  it('may be all that a bucket holds, beyond its limit', () => {
    const limits = { limit: '10/minute', algorithm: 'token-bucket', burst: 100, cost: 100 } as const;
    expect(() => resolve({ rateLimit: { limits } })).not.toThrow();
  });
});

describe('what was given', () => {
  it('is not changed', () => {
    const freeze = <T extends object>(value: T): T => {
      for (const member of Object.values(value))
        if (typeof member === 'object' && member !== null) freeze(member as object);
      return Object.freeze(value);
    };
    const given: AgentSecurityOptions = freeze({
      hosts: { allow: ['b.test', 'a.test'], exemptPaths: ['/healthz'] },
      cors: { origins: ['https://b.test', 'https://a.test'], methods: ['POST', 'GET'] },
      headers: {
        permissionsPolicy: { camera: ['self'] },
        contentSecurityPolicy: { directives: { scriptSrc: ["'self'"] } },
      },
      rateLimit: { limits: ['100/minute', { limit: '10/second', name: 'burst' }] },
      trustProxy: ['10.0.0.0/8'],
    });
    expect(() => resolve(given)).not.toThrow();
  });
});
