import { AgentSecurityConfigError } from '../../src/common/config-error.js';
import { readHttpsUrl } from '../../src/common/read-url.js';

describe('an https URL', () => {
  it.each([
    'https://api.example.com',
    'https://api.example.com:8443/a?b=c',
    'http://localhost:3000',
    'http://api.localhost',
    'http://127.0.0.1',
    'http://127.8.9.10:80/a',
    'http://[::1]:3000',
  ])('takes %s as it is', url => expect(readHttpsUrl('auth.resource', url)).toBe(url));

  it.each([
    [undefined],
    [''],
    [7],
    ['api.example.com'],
    ['http://api.example.com'],
    ['http://localhost.evil.example'],
    ['http://127.0.0.1.evil.example'],
    ['http://evil-localhost'],
    ['ftp://localhost'],
    ['https://user@api.example.com'],
    ['https://user:pass@api.example.com'],
    ['https://api.example.com#a'],
    ['https://api.example.com/"a'],
    ['https://api.example.com/\\a'],
    ['https://api.example.com/a b'],
    ['https://api.example.com/\u00e9'],
    [' https://api.example.com'],
  ])('rejects %j', value =>
    expect(() => readHttpsUrl('auth.resource', value)).toThrow(AgentSecurityConfigError),
  );
});
