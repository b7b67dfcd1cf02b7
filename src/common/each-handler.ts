/* Every method of the app's controllers (and, on request, of its providers): what start-up checks walk over. */
import type { MetadataScanner, ModulesContainer } from '@nestjs/core';

// oxlint-disable-next-line typescript/no-unsafe-function-type -- as Nest hands handlers over
export type Handler = Function;
export type HandlerClass = abstract new (...args: never[]) => unknown;

export interface FoundHandler {
  readonly controller: HandlerClass;
  readonly handler: Handler;
  readonly name: string;
}

export function* eachHandler(
  modules: ModulesContainer,
  scanner: Pick<MetadataScanner, 'getAllMethodNames'>,
  { withProviders = false } = {},
): Generator<FoundHandler> {
  for (const { controllers, providers } of modules.values()) {
    for (const { metatype } of [...controllers.values(), ...(withProviders ? providers.values() : [])]) {
      const prototype: unknown = typeof metatype === 'function' ? metatype.prototype : undefined;
      if (typeof prototype !== 'object' || prototype === null) continue;
      for (const name of scanner.getAllMethodNames(prototype)) {
        const handler = (prototype as Record<string, Handler>)[name]!;
        yield { controller: metatype as HandlerClass, handler, name };
      }
    }
  }
}
