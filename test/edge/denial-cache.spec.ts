import type { IncomingMessage } from 'node:http';
import type { Client } from '../../src/common/request-state.js';
import { denialKey, denialDurationMs } from '../../src/edge/denial-cache.js';
import type { PolicyState } from '../../src/limiter/consume.js';
import { createPolicy, type PolicyParts } from '../../src/limiter/create-policy.js';

const CLIENT: Client = {
  address: '192.0.2.1',
  key: { hi: 1, lo: 2 },
  secure: false,
  forwardedHosts: undefined,
  isFromTrustedProxy: false,
};

function name(parts: Partial<IncomingMessage>, client: Partial<Client> = {}): string | undefined {
  const raw = { method: 'GET', url: '/', headers: { host: 'a.example' }, ...parts } as IncomingMessage;
  return denialKey(raw, { ...CLIENT, ...client });
}

describe('denialKey', () => {
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
    ['a version that a header requests', name({ headers: { 'accept-version': '2' } })],
    ['a forwarded host', name({}, { forwardedHosts: ['b.example'] })],
    ['a path that is very long', name({ url: `/${'a'.repeat(600)}` })],
    ['a host that is very long', name({ headers: { host: 'a'.repeat(600) } })],
  ];
  it.each(unnamed)('has no name for %s', (_title, request) => expect(request).toBeUndefined());
});

describe('denialDurationMs', () => {
  const rows: [title: string, policy: Partial<PolicyParts>, untilMs: number][] = [
    ['a sliding window', {}, 999],
    ['a fixed window', { algorithm: 'fixed-window' }, 999],
    ['a token bucket', { algorithm: 'token-bucket' }, 999],
    ['a concurrency limit, whose leases are released', { algorithm: 'concurrency' }, 0],
    ['tokens, which are estimated and settled', { unit: 'tokens' }, 0],
    ['a policy in shadow mode', { shadow: true }, 0],
  ];
  it.each(rows)('%s', (_title, parts, untilMs) => {
    const policy = createPolicy({ limit: 1, windowMs: 1_000, ...parts });
    const policyStates = [{ policy, remaining: 0, resetMs: 1_000, violated: true }];
    expect(denialDurationMs(policyStates)).toBe(untilMs);
  });

  const policy = createPolicy({ limit: 5, windowMs: 1_000 });
  const state = { policy, remaining: 0, resetMs: 900, violated: true };
  const others: [title: string, policyStates: PolicyState[], untilMs: number][] = [
    [
      'ends with the first policy that gives something back',
      [state, { ...state, resetMs: 300, violated: false }],
      299,
    ],
    ['is 0 where a smaller cost may be granted', [{ ...state, remaining: 2 }], 0],
    ['is 0 for a cost above the whole limit', [{ ...state, resetMs: Infinity }], 0],
  ];
  it.each(others)('%s', (_title, policyStates, untilMs) =>
    expect(denialDurationMs(policyStates)).toBe(untilMs),
  );
});
