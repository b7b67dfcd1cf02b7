/*
 * The base classes of @nestjs/throttler, which become those of this package's guard and exception at start-up, where the app uses them. A
 * static import would load that CommonJS package while the ES modules of Nest load, and it requires Nest: Jest's ESM mode refuses such a
 * cycle. It would also take a third of the time that the module adds to the start of an app.
 */
import { createRequire } from 'node:module';
import { HttpException, HttpStatus } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { ThrottlerException, ThrottlerGuard } from '@nestjs/throttler';
import ipaddr from 'ipaddr.js';

type Throttler = typeof import('@nestjs/throttler');

type GuardClass = abstract new (...args: never[]) => object;

let throttler: Throttler | undefined;
let failure: unknown;

/**
 * Loads @nestjs/throttler where the app has it, or has a guard of its own that extends `guard`. Where that fails, as in Jest's ESM mode on
 * Node 22, limits work, and no class of the app can have its types.
 */
export async function loadThrottler(modules: ModulesContainer, guard: GuardClass): Promise<void> {
  if (throttler !== undefined || !(mayBeLoaded() || hasOtherGuard(modules, guard))) return;
  try {
    const loaded = await import('@nestjs/throttler');
    Object.setPrototypeOf(LateGuard.prototype, loaded.ThrottlerGuard.prototype as object);
    Object.setPrototypeOf(LateException.prototype, loaded.ThrottlerException.prototype as object);
    throttler = loaded;
  } catch (error) {
    failure = error;
  }
}

/** Whether the app may have loaded @nestjs/throttler. Only an app that has can use its types. */
function mayBeLoaded(): boolean {
  // webpack writes undefined in place of createRequire(…).
  const require = createRequire(process.execPath) as NodeJS.Require | undefined;
  const loaded = Object.values(require?.cache ?? {});
  // In a bundle, and with some hooks of module loaders, the cache does not show packages: neither that one nor another of this module.
  if (!loaded.some(module => module?.exports === ipaddr)) return true;
  return loaded.some(module => /[\\/]@nestjs[\\/]throttler[\\/]/.test(module?.filename ?? ''));
}

/** Whether a provider of the app is a subclass of the guard, or makes the guard itself. */
function hasOtherGuard(modules: ModulesContainer, guard: GuardClass): boolean {
  return [...modules.values()].some(({ providers, injectables }) =>
    [...providers.values(), ...injectables.values()].some(({ token, metatype }) =>
      token === guard ? metatype !== guard : metatype?.prototype instanceof guard,
    ),
  );
}

/** For a subclass of the app, which may call the methods of ThrottlerGuard. @throws if it is not loaded */
export function requireThrottler(subclass: string): void {
  if (throttler !== undefined) return;
  const because =
    failure === undefined
      ? 'was not loaded before the guard. Provide the guard with useClass, or import @nestjs/throttler in the app.'
      : 'cannot be loaded.';
  throw new Error(`${subclass} extends ThrottlerGuard, and @nestjs/throttler ${because}`, { cause: failure });
}

class LateGuard {
  constructor(...args: ConstructorParameters<typeof ThrottlerGuard>) {
    if (throttler !== undefined)
      return Reflect.construct(throttler.ThrottlerGuard, args, new.target) as LateGuard;
  }
}

class LateException extends HttpException {
  constructor(message: string) {
    super(message, HttpStatus.TOO_MANY_REQUESTS);
  }
}

/** ThrottlerGuard, once it is loaded. */
export const LateThrottlerGuard = LateGuard as unknown as typeof ThrottlerGuard;

/** ThrottlerException, once it is loaded. */
export const LateThrottlerException = LateException as typeof ThrottlerException;
