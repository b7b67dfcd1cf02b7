import { RouteMemo } from '../../src/common/each-handler.js';

class Base {
  handle(): void {}
  other(): void {}
}
class Derived extends Base {}

describe('RouteMemo', () => {
  it('computes once for a class and a handler', () => {
    const compute = jest.fn(
      (controller: { name: string }, handler: { name: string }) => `${controller.name}.${handler.name}`,
    );
    const memo = new RouteMemo(compute as never);
    const { handle, other } = Base.prototype;
    expect([memo.get(Base, handle), memo.get(Base, handle), memo.get(Base, other)]).toEqual([
      'Base.handle',
      'Base.handle',
      'Base.other',
    ]);
    expect(compute).toHaveBeenCalledTimes(2);
  });

  it('distinguishes an inherited handler by its class', () => {
    const memo = new RouteMemo(controller => controller.name);
    expect(Derived.prototype.handle).toBe(Base.prototype.handle);
    expect(memo.get(Base, Base.prototype.handle)).toBe('Base');
    expect(memo.get(Derived, Derived.prototype.handle)).toBe('Derived');
  });
});
