import 'reflect-metadata';
import { Reflector } from '@nestjs/core';
import { SkipThrottle, Throttle } from '@nestjs/throttler';
import { RateLimit, SkipRateLimit } from '../../src/rate-limit/rate-limit.decorator.js';
import { type ResolvedRateLimit, resolveRateLimit } from '../../src/rate-limit/rate-limit.options.js';
import { systemClock } from '../../src/common/clock.js';
import { QuotaTable } from '../../src/limiter/table/quota-table.js';
import type { QuotaGroup } from '../../src/rate-limit/create-quota-request.js';
import { type RoutePlan, RoutePlans } from '../../src/rate-limit/route-plan.js';

const plans = (options: object = {}): RoutePlans =>
  new RoutePlans(
    new Reflector(),
    resolveRateLimit(options, () => undefined) as ResolvedRateLimit,
    policies => new QuotaTable(policies, 100),
    systemClock,
    { error: () => undefined },
  );
/** None of these plans looks a limit up. */
const groupsOf = ({ groups }: RoutePlan): readonly QuotaGroup[] => groups as readonly QuotaGroup[];
const applying = (plan: RoutePlan): string[] =>
  groupsOf(plan).flatMap(({ table, mask }) =>
    table.policies.filter((_, index) => (mask & (1 << index)) !== 0).map(({ name }) => name),
  );

class Plain {
  read(): void {}
  write(): void {}
  @RateLimit('5/minute') own(): void {}
  @SkipRateLimit() skipped(): void {}
  @RateLimit('1/second', { limit: '9/minute', key: 'address', cost: 3 }) mixed(): void {}
  @Throttle({ default: { limit: 3, ttl: 2_000 } }) throttled(): void {}
  @Throttle({ burst: { limit: 3 } }) burst(): void {}
  @Throttle({ default: { limit: () => 4, ttl: 2_000 } }) late(): void {}
  @SkipThrottle() skipDefault(): void {}
  @SkipThrottle({ burst: true }) skipBurst(): void {}
}

@RateLimit('7/minute')
class Limited {
  one(): void {}
  two(): void {}
  @RateLimit('5/minute') own(): void {}
  @SkipRateLimit() skipped(): void {}
}

@SkipRateLimit()
class Skipped {
  read(): void {}
  @RateLimit('5/minute') own(): void {}
}

class Derived extends Limited {}

describe('RoutePlans', () => {
  it("takes the module's limits where a route has none", () => {
    const made = plans();
    const plan = made.get(Plain, Plain.prototype.read);
    expect(plan).toMatchObject({ hasModuleLimits: true, isImmediate: true });
    expect(applying(plan)).toEqual(['10-per-second', '100-per-minute']);
    expect(plan.groups).toEqual(made.moduleGroups);
    expect(groupsOf(plan)[0]!.table).toBe(groupsOf(made.get(Plain, Plain.prototype.write))[0]!.table);
  });

  it("replaces them by a handler's own", () => {
    const plan = plans().get(Plain, Plain.prototype.own);
    expect([plan.hasModuleLimits, applying(plan)]).toEqual([false, ['5-per-minute']]);
  });

  it('counts a class’s limits over its handlers together, and a handler’s apart', () => {
    const made = plans();
    const [one, two, own] = [Limited.prototype.one, Limited.prototype.two, Limited.prototype.own].map(
      handler => groupsOf(made.get(Limited, handler))[0]!,
    );
    expect(one!.table).toBe(two!.table);
    expect(own!.table).not.toBe(one!.table);
  });

  it('counts a class apart from the one that it extends', () => {
    const made = plans();
    const base = groupsOf(made.get(Limited, Limited.prototype.one))[0]!;
    const derived = groupsOf(made.get(Derived, Derived.prototype.one))[0]!;
    expect(derived.table).not.toBe(base.table);
    expect(derived.scope).not.toBe(base.scope);
  });

  const skips: [title: string, type: { prototype: object }, handler: string, expected: string[]][] = [
    ['a handler that skips', Plain, 'skipped', []],
    ['a handler that skips in a limited class', Limited, 'skipped', []],
    ['a class that skips', Skipped, 'read', []],
    ['a handler with a limit of its own in a class that skips', Skipped, 'own', ['5-per-minute']],
  ];
  it.each(skips)('%s', (_title, type, handler, expected) => {
    const made = plans().get(type as never, (type.prototype as Record<string, () => void>)[handler]!);
    expect(applying(made)).toEqual(expected);
  });

  it('groups policies by whom they belong to and what a request costs', () => {
    const { groups } = plans().get(Plain, Plain.prototype.mixed);
    expect(groups.map(({ key, cost }) => [key, cost])).toEqual([
      ['client', 1],
      ['address', 3],
    ]);
  });

  it('works a route out once', () => {
    const made = plans();
    expect(made.get(Plain, Plain.prototype.own)).toBe(made.get(Plain, Plain.prototype.own));
  });
});

describe('RoutePlans with the decorators of @nestjs/throttler', () => {
  const named = { limits: [{ limit: '2/second', name: 'burst' }, '50/minute'] };

  it('replaces what has no name by @Throttle({ default })', () => {
    const plan = plans(named).get(Plain, Plain.prototype.throttled);
    expect(applying(plan)).toEqual(['burst', 'default']);
    expect(groupsOf(plan).at(-1)!.table.policies[0]).toMatchObject({ limit: 3, windowMs: 2_000 });
    expect(plan.isImmediate).toBe(false);
  });

  it('completes a named @Throttle() from the policy of that name', () => {
    const plan = plans(named).get(Plain, Plain.prototype.burst);
    expect(applying(plan)).toEqual(['50-per-minute', 'burst']);
    expect(groupsOf(plan).at(-1)!.table.policies[0]).toMatchObject({ limit: 3, windowMs: 1_000 });
  });

  it('leaves functions of the request for later', async () => {
    const plan = plans().get(Plain, Plain.prototype.late);
    expect([plan.groups, plan.dynamicThrottles.length, plan.isImmediate]).toEqual([[], 1, false]);
    const group = await plan.dynamicThrottles[0]!({} as never);
    expect(group.table.policies[0]).toMatchObject({ name: 'default', limit: 4, windowMs: 2_000 });
    expect((await plan.dynamicThrottles[0]!({} as never)).table).toBe(group.table);
  });

  const skips: [handler: 'skipDefault' | 'skipBurst', expected: string[]][] = [
    ['skipDefault', ['burst']],
    ['skipBurst', ['50-per-minute']],
  ];
  it.each(skips)('%s', (handler, expected) =>
    expect(applying(plans(named).get(Plain, Plain.prototype[handler]))).toEqual(expected),
  );

  it.each([NaN, 0, -1, 1.5, Infinity])('rejects a limit of %p', limit => {
    class Wrong {
      @Throttle({ default: { limit, ttl: 1_000 } }) read(): void {}
    }
    expect(() => plans().get(Wrong, Wrong.prototype.read)).toThrow(
      expect.objectContaining({ code: 'ASEC_LIMIT_RANGE', option: '@Throttle({ default })' }),
    );
  });
});
