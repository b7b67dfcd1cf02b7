/* The handlers of an app: a walk over all of them for start-up checks, and a cache of what was computed for one. */
import type { ModulesContainer, Reflector } from '@nestjs/core';

// oxlint-disable-next-line typescript/no-unsafe-function-type -- as Nest hands handlers over
export type Handler = Function;
export type HandlerClass = abstract new (...args: never[]) => unknown;

interface FoundHandler {
  readonly controller: HandlerClass;
  readonly handler: Handler;
  readonly name: string;
}

export function* eachHandler(
  modules: ModulesContainer,
  { withProviders = false } = {},
): Generator<FoundHandler> {
  for (const { controllers, providers } of modules.values()) {
    for (const { metatype } of [...controllers.values(), ...(withProviders ? providers.values() : [])]) {
      const prototype: unknown = typeof metatype === 'function' ? metatype.prototype : undefined;
      if (typeof prototype !== 'object' || prototype === null) continue;
      for (const name of methodNames(prototype)) {
        const handler = (prototype as Record<string, Handler>)[name]!;
        yield { controller: metatype as HandlerClass, handler, name };
      }
    }
  }
}

/** The names of a class's methods, inherited ones too, without its constructor and accessors: what Nest takes for handlers. */
function methodNames(prototype: object): string[] {
  const isMethod = new Map([['constructor', false]]);
  let from: object | null = prototype;
  for (; from !== null && from !== Object.prototype; from = Object.getPrototypeOf(from) as object | null) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from)))
      if (!isMethod.has(name)) isMethod.set(name, typeof value === 'function');
  }
  return [...isMethod.keys()].filter(name => isMethod.get(name));
}

/**
 * Computes a value once per route: reading the metadata of decorators takes microseconds, a look-up nanoseconds. A route is a class and a
 * handler: inherited handlers are one function under classes with different metadata.
 */
export class RouteMemo<T> {
  readonly #classes = new WeakMap<HandlerClass, WeakMap<Handler, T>>();

  constructor(private readonly compute: (controller: HandlerClass, handler: Handler) => T) {}

  get(controller: HandlerClass, handler: Handler): T {
    let handlers = this.#classes.get(controller);
    if (handlers === undefined) this.#classes.set(controller, (handlers = new WeakMap()));
    let value = handlers.get(handler);
    if (value === undefined) handlers.set(handler, (value = this.compute(controller, handler)));
    return value;
  }
}

/** The metadata of a decorator: the handler's, else that of its class; `null` for none. */
export const memoMetadata = <T>(reflector: Reflector, key: string): RouteMemo<T | null> =>
  new RouteMemo(
    (controller, handler) =>
      reflector.getAllAndOverride<T | undefined>(key, [handler, controller as never]) ?? null,
  );
