import fc from 'fast-check';
import { Item, parseList } from 'structured-headers';
import { consume, EVERY_POLICY, type PolicyState, type QuotaDecision } from '../../src/limiter/consume.js';
import type { Policy } from '../../src/limiter/policy.js';
import { quotaHeaders, quotaProblem, retryAfterSeconds } from '../../src/limiter/quota-headers.js';
import { QuotaTable } from '../../src/limiter/table/quota-table.js';
import { type LimitRule, resolveRules } from '../../src/rate-limit/limit-rule.js';
import { loadCases } from '../fixtures/load-cases.js';
import { createPolicy } from '../../src/limiter/create-policy.js';

const SEED = 20_260;
const EPOCH_MS = 1_790_000_000_250;
const policy = (limit: number, windowMs: number, name?: string): Policy =>
  createPolicy({ limit, windowMs, name });
const policyState = (of: Policy, remaining: number, resetMs: number, violated = false): PolicyState => ({
  policy: of,
  remaining,
  resetMs,
  violated,
});

function headersOf(decision: QuotaDecision, informative = true): Readonly<Record<string, string>> {
  const pairs = quotaHeaders(decision, EPOCH_MS, informative);
  const names = pairs.filter((_, index) => index % 2 === 0);
  expect(new Set(names.map(name => name.toLowerCase())).size).toBe(names.length);
  return Object.fromEntries(names.map((name, index) => [name, pairs[index * 2 + 1]!]));
}

const items = (text: string): { name: unknown; parameters: Record<string, unknown> }[] =>
  (parseList(text) as Item[]).map(([name, parameters]) => ({
    name,
    parameters: Object.fromEntries(parameters),
  }));

describe('quotaHeaders', () => {
  const second = policy(10, 1_000);
  const minute = policy(100, 60_000);

  it('sends every policy with a grant, and the tightest in the X-RateLimit headers', () => {
    const policyStates = [policyState(second, 9, 1_000), policyState(minute, 3, 20_001)];
    expect(headersOf({ granted: true, policyStates })).toEqual({
      'X-RateLimit-Limit': '100',
      'X-RateLimit-Remaining': '3',
      'X-RateLimit-Reset': '1790000021',
      'RateLimit-Policy': '"10-per-second";q=10;w=1, "100-per-minute";q=100;w=60',
      RateLimit: '"10-per-second";r=9;t=1, "100-per-minute";r=3;t=21',
    });
  });

  it('sends the wait of the slowest violated policy with a denial', () => {
    const policyStates = [policyState(second, 0, 400, true), policyState(minute, 0, 12_001, true)];
    expect(headersOf({ granted: false, policyStates })).toMatchObject({
      'Retry-After': '13',
      'X-RateLimit-Limit': '100',
      'X-RateLimit-Remaining': '0',
      RateLimit: '"10-per-second";r=0;t=1, "100-per-minute";r=0;t=13',
    });
  });

  it('takes a violated policy for the tightest, also beside one with less left', () => {
    const policyStates = [policyState(minute, 0, 50_000), policyState(second, 2, 900, true)];
    expect(headersOf({ granted: false, policyStates })).toMatchObject({
      'Retry-After': '1',
      'X-RateLimit-Limit': '10',
      'X-RateLimit-Remaining': '2',
    });
  });

  it('keeps Retry-After where the informative headers are off', () => {
    expect(headersOf({ granted: false, policyStates: [policyState(second, 0, 1, true)] }, false)).toEqual({
      'Retry-After': '1',
    });
    expect(headersOf({ granted: true, policyStates: [policyState(second, 1, 1)] }, false)).toEqual({});
  });

  it.each([
    ['a wait of a minute', 60_000, undefined],
    ['a wait of more than a minute', 60_001, 'false'],
    ['a cost that is never granted', Infinity, 'false'],
  ])('tells clients whether to retry after %s', (_what, resetMs, shouldRetry) => {
    const hour = policy(100, 3_600_000);
    const denied = [policyState(hour, 0, resetMs, true), policyState(minute, 50, 60_000)];
    for (const informative of [true, false])
      expect(headersOf({ granted: false, policyStates: denied }, informative)['X-Should-Retry']).toBe(
        shouldRetry,
      );
    const granted = [policyState(hour, 1, resetMs)];
    expect(headersOf({ granted: true, policyStates: granted })['X-Should-Retry']).toBeUndefined();
  });

  it('names the policies of each list, also of lists that begin alike', () => {
    const hour = policy(1_000, 3_600_000);
    const names = [second, minute, hour].map(({ name }) => name);
    for (const chosen of [[0, 1], [0], [0, 2], [0, 1, 2], [0, 1], [1, 0], [0, 2]]) {
      const policyStates = chosen.map(index => policyState([second, minute, hour][index]!, 1, 1));
      const headers = headersOf({ granted: true, policyStates });
      for (const name of ['RateLimit', 'RateLimit-Policy'])
        expect(items(headers[name]!).map(item => item.name)).toEqual(chosen.map(index => names[index]));
    }
  });

  it('leaves out policies in shadow mode, beside others and alone', () => {
    const shadow = { ...second, shadow: true };
    const policyStates = [policyState(shadow, 0, 1, true), policyState(minute, 1, 1)];
    expect(headersOf({ granted: true, policyStates })['RateLimit']).toBe('"100-per-minute";r=1;t=1');
    expect(headersOf({ granted: true, policyStates: [policyState(shadow, 0, 1, true)] })).toEqual({});
  });

  it('says nothing where nothing is limited', () => {
    expect(quotaHeaders({ granted: true, policyStates: [] }, EPOCH_MS, true)).toEqual([]);
  });

  it('sends the whole window for a cost that is never granted', () => {
    const headers = headersOf({ granted: false, policyStates: [policyState(minute, 100, Infinity, true)] });
    expect([headers['Retry-After'], headers['RateLimit']]).toEqual(['60', '"100-per-minute";r=100;t=60']);
  });
});

describe('the syntax of RateLimit and RateLimit-Policy', () => {
  const integer = (value: unknown, from: number): boolean =>
    Number.isInteger(value) && (value as number) >= from;

  it('is read by structured-headers, with the values that were meant, whatever is configured', () => {
    const name = fc.array(fc.constantFrom('a', 'Z', '9', '.', '_', ':', '/', '-', 'burst'), {
      minLength: 1,
      maxLength: 8,
    });
    const rule = fc.record(
      {
        limit: fc
          .tuple(
            fc.constantFrom(1, 10, 999, 1_000_000_000),
            fc.constantFrom('s', '90 s', '15 minutes', 'h', '31 days'),
          )
          .map(([limit, window]) => `${limit}/${window}`),
        name: name.map(parts => parts.join('').slice(0, 64)),
        algorithm: fc.constantFrom(
          'sliding-window' as const,
          'fixed-window' as const,
          'token-bucket' as const,
        ),
      },
      { requiredKeys: ['limit', 'algorithm'] },
    );
    const rules = fc.uniqueArray(rule, {
      minLength: 1,
      maxLength: 4,
      selector: ({ name: own, limit }) => own ?? limit,
    });
    const visits = fc.array(fc.tuple(fc.nat(2_000), fc.nat(3)), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(rules, visits, (inputs, requests) => {
        const policies = resolveRules('limits', inputs).map(each => (each as LimitRule).policy);
        const table = new QuotaTable(policies, 100);
        let nowMs = 0;
        for (const [elapsedMs, cost] of requests) {
          nowMs += elapsedMs;
          const decision = consume([{ table, mask: EVERY_POLICY, key: { hi: 0, lo: 0 }, cost }], nowMs);
          const headers = headersOf(decision);
          const stated = items(headers['RateLimit-Policy']!);
          const state = items(headers['RateLimit']!);
          expect(stated.map(item => item.name)).toEqual(policies.map(each => each.name));
          expect(state.map(item => item.name)).toEqual(policies.map(each => each.name));
          for (const [index, { parameters }] of stated.entries()) {
            expect(parameters).toEqual({
              q: policies[index]!.limit,
              w: Math.ceil(policies[index]!.windowMs / 1000),
            });
            const { r, t } = state[index]!.parameters;
            expect(integer(r, 0) && integer(t, 0)).toBe(true);
            expect(r as number).toBeLessThanOrEqual(policies[index]!.limit);
            expect(t as number).toBeLessThanOrEqual(parameters['w'] as number);
          }
          const tightest = policies.findIndex(each => String(each.limit) === headers['X-RateLimit-Limit']);
          expect(tightest).not.toBe(-1);
          expect(Number(headers['X-RateLimit-Remaining'])).toBeGreaterThanOrEqual(0);
          expect(headers['X-RateLimit-Reset']).toMatch(/^\d{10}$/);
          expect('Retry-After' in headers).toBe(!decision.granted);
          if (decision.granted) continue;
          const violated = decision.policyStates.filter(each => each.violated);
          const waits = violated.map(each => state[policies.indexOf(each.policy)]!.parameters['t'] as number);
          expect(Number(headers['Retry-After'])).toBe(Math.max(...waits));
          expect(headers['Retry-After']).toMatch(/^[1-9]\d*$/);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('is among what the table of fields calls valid, in each field that it emits', () => {
    const { fields } = loadCases('ratelimit-headers');
    const validityOf = (value: string, field: string): string => {
      let list: ReturnType<typeof items>;
      try {
        list = items(value);
      } catch {
        return 'unreadable';
      }
      const [amount, time] = field === 'RateLimit' ? ['r', 't'] : ['q', 'w'];
      const named = new Set(list.map(({ name }) => name)).size === list.length && list.length > 0;
      const whole = list.every(
        ({ name, parameters }) =>
          typeof name === 'string' &&
          integer(parameters[amount], 0) &&
          (parameters[time] === undefined || integer(parameters[time], field === 'RateLimit' ? 0 : 1)) &&
          (parameters['pk'] === undefined || parameters['pk'] instanceof ArrayBuffer),
      );
      return named && whole ? 'valid' : 'invalid';
    };
    // The checker of this spec agrees with the table, so what it lets pass above is what the draft means.
    for (const { id, field, value, sf, semantic } of fields) {
      const validity = validityOf(value, field);
      expect([id, validity === 'unreadable']).toEqual([id, sf === 'invalid']);
      expect([id, validity === 'valid']).toEqual([id, semantic === 'valid']);
    }
    const decision = {
      granted: true,
      policyStates: [policyState(policy(5, 10), 4, 3), policyState(policy(9, 60_000, 'a/b:c'), 0, 0)],
    };
    const headers = headersOf(decision);
    expect([
      validityOf(headers['RateLimit']!, 'RateLimit'),
      validityOf(headers['RateLimit-Policy']!, 'RateLimit-Policy'),
    ]).toEqual(['valid', 'valid']);
  });
});

describe('Retry-After', () => {
  const valid = new Set(
    loadCases('ratelimit-headers')
      .retryAfter.filter(({ verdict }) => verdict === 'valid')
      .map(({ value }) => value),
  );

  it.each([0.001, 0.5, 1, 999, 1_000])('is 1 for a wait of %d ms', resetMs => {
    const seconds = String(retryAfterSeconds([policyState(policy(1, 1_000), 0, resetMs, true)]));
    expect([seconds, valid.has(seconds)]).toEqual(['1', true]);
  });

  it('is 1 where a violated policy has no wait at all', () => {
    expect(retryAfterSeconds([policyState(policy(1, 1_000), 0, 0, true)])).toBe(1);
  });

  it('is enough: a client that waits so long is granted', () => {
    const window = fc.constantFrom(10, 999, 1_000, 1_001, 60_000, 3_600_000);
    const algorithm = fc.constantFrom(
      'sliding-window' as const,
      'fixed-window' as const,
      'token-bucket' as const,
    );
    const visits = fc.array(fc.nat(700), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        window,
        algorithm,
        visits,
        (limit, windowMs, name, pauses) => {
          const table = new QuotaTable([createPolicy({ limit, windowMs, algorithm: name })], 10);
          const charges = [{ table, mask: EVERY_POLICY, key: { hi: 0, lo: 0 }, cost: 1 }];
          let nowMs = 0;
          for (const pause of pauses) {
            nowMs += pause;
            const decision = consume(charges, nowMs);
            if (decision.granted) continue;
            const seconds = retryAfterSeconds(decision.policyStates);
            expect(seconds).toBeGreaterThanOrEqual(1);
            expect(seconds).toBeLessThanOrEqual(Math.max(1, Math.ceil(windowMs / 1_000)));
            nowMs += seconds * 1_000;
            expect(consume(charges, nowMs).granted).toBe(true);
          }
        },
      ),
      { seed: SEED, numRuns: 500 },
    );
  });
});

describe('quotaProblem', () => {
  it('names the violated policies, and the one that takes longest in words', () => {
    const policyStates = [
      policyState(policy(10, 1_000), 0, 400, true),
      policyState(policy(100, 60_000), 0, 12_001, true),
      policyState(policy(1_000, 3_600_000), 5, 1, false),
    ];
    expect(quotaProblem({ granted: false, policyStates })).toEqual({
      status: 429,
      code: 'rate_limited',
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      detail: 'Limit: 100 requests per 1 minute',
      members: {
        retryable: true,
        retry_after_seconds: 13,
        'violated-policies': ['10-per-second', '100-per-minute'],
      },
    });
  });

  it('is not retryable where the cost is more than the limit', () => {
    const problem = quotaProblem({
      granted: false,
      policyStates: [policyState(policy(3, 1_000), 3, Infinity, true)],
    });
    expect(problem.members).toMatchObject({ retryable: false, retry_after_seconds: 1 });
  });
});
