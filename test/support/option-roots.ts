/* Everything of the package that takes an object of options. */
import {
  AgentSecurityModule,
  AgentTool,
  RateLimit,
  SafePathPipe,
  SecurityHeaders,
  Timeout,
} from '../../src/index.js';
import { resolveOptions } from '../../src/resolve-options.js';
import { RedisKeyStore, RedisQuotaStore } from '../../src/redis/index.js';
import type { OptionsRoot } from './option-keys.js';

const identify = (): undefined => undefined;
const client = { evalsha: async () => [], eval: async () => [] };
const issuer = 'https://issuer.example.com';

const NEEDED = {
  auth: { identify },
  'auth.tokens': {
    issuer,
    audience: 'https://api.example.com',
    algorithms: ['HS256'],
    secret: 's'.repeat(64),
  },
  'auth.apiKeys': { book: { agents: {}, keys: [] }, secret: 's'.repeat(32) },
  'auth.tokenEndpoint': { issuer, signingKeys: () => [] },
  'auth.tokenEndpoint.signingKeys': { file: 'keys.pem' },
  'mcp.proxyProof': { secrets: ['s'.repeat(32)] },
  'rateLimit.limits': { limit: '5/minute' },
  'rateLimit.messages': { limit: '5/minute' },
  ...Object.fromEntries(
    ['contentSecurityPolicy', 'contentSecurityPolicyReportOnly', 'htmlContentSecurityPolicy'].map(policy => [
      `headers.${policy}`,
      { directives: { defaultSrc: "'self'" } },
    ]),
  ),
};

export const MODULE_ROOT: OptionsRoot = {
  name: '',
  read: options => resolveOptions(options, () => undefined),
  needed: NEEDED,
};

export const OPTION_ROOTS: readonly OptionsRoot[] = [
  MODULE_ROOT,
  {
    name: '@RateLimit()',
    read: options => RateLimit(options as never),
    needed: { '': { limit: '5/minute' } },
  },
  { name: '@AgentTool()', read: options => AgentTool('tool', options as never), needed: {} },
  { name: '@Timeout()', read: options => Timeout(options as never), needed: {} },
  {
    name: '@SecurityHeaders()',
    read: options => SecurityHeaders(options as never),
    needed: Object.fromEntries(
      Object.entries(NEEDED)
        .filter(([path]) => path.startsWith('headers.'))
        .map(([path, own]) => [path.slice('headers.'.length), own]),
    ),
  },
  {
    name: 'SafePathPipe',
    read: options => new SafePathPipe(options as never),
    needed: { '': { root: '.' } },
  },
  { name: 'RedisKeyStore', read: options => new RedisKeyStore(options as never), needed: { '': { client } } },
  {
    name: 'RedisQuotaStore',
    read: options => new RedisQuotaStore(options as never),
    needed: { '': { client } },
  },
  { name: 'forRootAsync()', read: options => AgentSecurityModule.forRootAsync(options as never), needed: {} },
  {
    name: 'the extras of forRoot()',
    read: options => AgentSecurityModule.forRoot({}, options as never),
    needed: {},
  },
];
