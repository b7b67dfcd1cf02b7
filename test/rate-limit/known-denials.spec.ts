import type { IncomingMessage } from 'node:http';
import type { Client } from '../../src/common/request-state.js';
import { isTimed, nameRequest } from '../../src/rate-limit/known-denials.js';
import { createPolicy, type PolicyParts } from '../../src/limiter/policy.js';

const CLIENT: Client = {
  address: '192.0.2.1',
  key: { hi: 1, lo: 2 },
  secure: false,
  forwardedHosts: undefined,
  isFromTrustedProxy: false,
};

function name(parts: Partial<IncomingMessage>, client: Partial<Client> = {}): string | undefined {
  const raw = { method: 'GET', url: '/', headers: { host: 'a.example' }, ...parts } as IncomingMessage;
  return nameRequest(raw, { ...CLIENT, ...client });
}

describe('nameRequest', () => {
  const others: [title: string, other: string | undefined][] = [
    ['another method', name({ method: 'POST' })],
    ['another path', name({ url: '/a' })],
    ['another spelling of a path', name({ url: '//' })],
    ['another host', name({ headers: { host: 'b.example' } })],
    [
      'another host of HTTP/2',
      name({ headers: { ':authority': 'b.example' } as IncomingMessage['headers'] }),
    ],
    ['another client', name({}, { key: { hi: 1, lo: 3 } })],
  ];
  it.each(others)('tells %s apart', (_title, other) => {
    expect(other).toBeDefined();
    expect(other).not.toBe(name({}));
  });

  it('leaves the query out, which no route is chosen by', () => {
    expect(name({ url: '/?page=2' })).toBe(name({}));
  });

  const unnamed: [title: string, request: string | undefined][] = [
    ['a method that a header overrides', name({ headers: { 'x-http-method-override': 'DELETE' } })],
    ['a version that a header asks for', name({ headers: { 'accept-version': '2' } })],
    ['a host that a proxy passes on', name({}, { forwardedHosts: ['b.example'] })],
    ['a path that is very long', name({ url: `/${'a'.repeat(600)}` })],
    ['a host that is very long', name({ headers: { host: 'a'.repeat(600) } })],
  ];
  it.each(unnamed)('has no name for %s', (_title, request) => expect(request).toBeUndefined());
});

describe('isTimed', () => {
  const rows: [title: string, policy: Partial<PolicyParts>, timed: boolean][] = [
    ['a sliding window', {}, true],
    ['a fixed window', { algorithm: 'fixed-window' }, true],
    ['a token bucket', { algorithm: 'token-bucket' }, true],
    ['slots, which are released', { algorithm: 'concurrency' }, false],
    ['tokens, which are estimated and settled', { unit: 'tokens' }, false],
    ['a policy on trial', { shadow: true }, false],
  ];
  it.each(rows)('%s', (_title, parts, timed) => {
    const policy = createPolicy({ limit: 1, windowMs: 1_000, ...parts });
    const policyStates = [{ policy, remaining: 0, resetMs: 1_000, violated: true }];
    expect(isTimed({ granted: false, policyStates })).toBe(timed);
  });
});
