/* What holds for the configuration of every feature. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentSecurityOptions } from '../../src/agent-security.options.js';
import { CONFIG_ERROR_CODES } from '../../src/common/config-error.js';
import { resolve } from '../support/configuration.js';

describe('a bad configuration stops the start-up', () => {
  it('is tested for every code but those that only a whole app can earn', () => {
    const texts = readdirSync(__dirname)
      .filter(name => join(__dirname, name) !== __filename)
      .map(name => readFileSync(join(__dirname, name), 'utf8'));
    const tested = new Set(['ASEC_OPTION_UNKNOWN', 'ASEC_OPTION_RANGE']);
    for (const [, code] of texts.join('\n').matchAll(/'(ASEC_[A-Z_]+)'/g)) tested.add(code!);
    expect(CONFIG_ERROR_CODES.filter(code => !tested.has(code))).toEqual([
      'ASEC_TOOL_TWICE',
      'ASEC_AUDIT_FILE',
      'ASEC_MODULE_TWICE',
      'ASEC_MCP_NETWORK',
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
