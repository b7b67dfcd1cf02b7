import type { ExecutionContext } from '@nestjs/common';
import type { PlatformRequest } from '../../src/common/http-request.js';
import { DynamicLimit, LimitUnknownError } from '../../src/rate-limit/dynamic-limits.js';
import { type DynamicRule, resolveRules } from '../../src/rate-limit/limit-rule.js';
import { QuotaTable } from '../../src/rate-limit/quota-table.js';
import { ManualClock } from '../support/clock.js';

const request = {} as PlatformRequest;
const context = {} as ExecutionContext;
const nothing = (): Promise<string> => new Promise(() => undefined);

describe('limits that are looked up', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['performance'] }));
  afterEach(() => jest.useRealTimers());

  function setUp(alertAt?: number[]) {
    const clock = new ManualClock();
    const asked: string[] = [];
    const errors: string[] = [];
    const how = { resolve: nothing };
    const limit = (owner: string): Promise<string> => {
      asked.push(owner);
      return how.resolve();
    };
    const [rule] = resolveRules('limits', [{ limit, limitTtlMs: 10_000, alertAt }]) as unknown as [
      DynamicRule,
    ];
    const createTable = (policies: ConstructorParameters<typeof QuotaTable>[0]): QuotaTable =>
      new QuotaTable(policies, 100);
    const log = { error: (message: string): void => void errors.push(message) };
    const limits = new DynamicLimit(rule, createTable, clock, log);
    const tableOf = async (owner: string): Promise<string> => {
      const answer = limits
        .tableOf({ owner, key: { hi: 1, lo: owner.length }, request, context })
        .then(({ policies }) => policies.map(({ text }) => text).join());
      answer.catch(() => undefined);
      await jest.advanceTimersByTimeAsync(1_000);
      return answer;
    };
    return { tableOf, clock, asked, errors, how };
  }

  it('asks again after a lookup that hung, not at once, and logs it once', async () => {
    const { tableOf, clock, asked, errors, how } = setUp();
    await expect(tableOf('acme')).rejects.toThrow(LimitUnknownError);
    await expect(tableOf('acme')).rejects.toThrow(LimitUnknownError);
    expect(asked).toEqual(['acme']);
    clock.advance(1_000);
    how.resolve = async () => '5/minute';
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
    expect([asked, errors.length]).toEqual([['acme', 'acme'], 1]);
  });

  it('keeps a known limit while lookups hang, and asks again', async () => {
    const { tableOf, clock, asked, how } = setUp();
    how.resolve = async () => '5/minute';
    await tableOf('acme');
    how.resolve = nothing;
    clock.advance(10_000);
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
    how.resolve = async () => '7/minute';
    clock.advance(10_000);
    expect(await tableOf('acme')).toBe('7 requests per 1 minute');
    expect(asked).toHaveLength(3);
  });

  it('takes an answer that comes late', async () => {
    const { tableOf, how } = setUp();
    let answer: (limit: string) => void = () => undefined;
    how.resolve = () => new Promise(resolve => (answer = resolve));
    await expect(tableOf('acme')).rejects.toThrow(LimitUnknownError);
    answer('5/minute');
    await jest.advanceTimersByTimeAsync(0);
    expect(await tableOf('acme')).toBe('5 requests per 1 minute');
  });

  it('lets no more than a thousand lookups hang', async () => {
    const { tableOf, asked } = setUp();
    const answers = Array.from({ length: 1_500 }, (_each, index) => tableOf(`owner${index}`).catch(String));
    for (const answer of await Promise.all(answers)) expect(answer).toContain('No limit is known');
    expect(asked).toHaveLength(1_000);
  });

  it('leaves out alerts above the limit of an owner, and refuses at the start what is no mark', async () => {
    const { tableOf, how } = setUp([0.5, 100]);
    how.resolve = async () => '50/hour';
    expect(await tableOf('acme')).toBe('50 requests per 1 hour');
    expect(() => setUp([-1])).toThrow('alertAt[0]');
  });
});
