import type { IncomingMessage } from 'node:http';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import fc from 'fast-check';
import type { Client, RequestState } from '../../src/common/request-state.js';
import type { Clock } from '../../src/common/clock.js';
import { problemText } from '../../src/common/problem.js';
import { DenialCache, denialKey, denialDurationMs } from '../../src/edge/denial-cache.js';
import { quotaLines, quotaProblem } from '../../src/limiter/quota-headers.js';
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

describe('DenialCache', () => {
  const EPOCH_MS = 1_800_000_000_000;

  function setUp() {
    const time = { nowMs: 5 };
    const clock = {
      monotonicMs: () => time.nowMs,
      epochMs: () => EPOCH_MS + time.nowMs,
    } as Clock;
    const config = {} as ApplicationConfig;
    const cache = new DenialCache(
      { headers: true },
      () => false,
      clock,
      config,
      new Map() as unknown as ModulesContainer,
    );
    const raw = { method: 'GET', url: '/', headers: { host: 'a.example' } } as IncomingMessage;
    const newState = () => ({ client: CLIENT, limits: {} }) as unknown as RequestState;
    return { time, clock, cache, raw, newState };
  }

  it('answers at any time as if the answer was made at that time', () => {
    const milliseconds = fc.integer({ min: 0, max: 8_000 }).map(tenths => tenths / 4);
    const property = fc.property(
      fc.array(fc.tuple(milliseconds, fc.boolean()), { minLength: 1, maxLength: 3 }),
      fc.array(milliseconds, { minLength: 1, maxLength: 8 }),
      (rows, waits) => {
        const { time, clock, cache, raw, newState } = setUp();
        const policyStates = rows.map(([resetMs, violated], index) => ({
          policy: createPolicy({ limit: 5, windowMs: 10_000, name: `p${index}` }),
          remaining: violated ? 0 : 3,
          resetMs,
          violated: violated || index === 0,
        }));
        policyStates[0]!.remaining = 0;
        const offered = newState();
        cache.offer(raw, offered, { granted: false, policyStates }, time.nowMs);
        offered.limits.keepDenial?.();
        const decidedMs = time.nowMs;
        for (const wait of waits) {
          time.nowMs += wait;
          const state = newState();
          const problem = cache.check(raw, state, 'GET');
          if (problem === undefined) return;
          const current = {
            granted: false,
            policyStates: policyStates.map(each => ({
              ...each,
              resetMs: Math.max(0, each.resetMs - (time.nowMs - decidedMs)),
            })),
          };
          expect(state.limits.quotaLines).toBe(quotaLines(current, clock.epochMs(), true));
          expect(problemText(problem, undefined, 'id')).toBe(
            problemText(quotaProblem(current), undefined, 'id'),
          );
        }
      },
    );
    fc.assert(property, { numRuns: 500 });
  });
});
