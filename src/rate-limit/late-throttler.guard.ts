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
 * Loads @nestjs/throttler where the app has loaded it, or needs it. Where that fails, as in Jest's ESM mode on Node 22, limits work, and no
 * class of the app can have its types.
 */
export async function loadThrottler(isNeeded: boolean): Promise<void> {
  if (throttler !== undefined || !(isNeeded || appMayUseThrottler())) return;
  try {
    const loaded = await import('@nestjs/throttler');
    Object.setPrototypeOf(LateGuard.prototype, loaded.ThrottlerGuard.prototype as object);
    Object.setPrototypeOf(LateException.prototype, loaded.ThrottlerException.prototype as object);
    throttler = loaded;
  } catch (error) {
    failure = error;
  }
}

/** False if the process has not loaded @nestjs/throttler: then no code of the app can use its types. */
function appMayUseThrottler(): boolean {
  // The cache of all CommonJS modules, whatever the path. webpack writes undefined in place of createRequire(…).
  const require = createRequire(process.execPath) as NodeJS.Require | undefined;
  const loaded = Object.values(require?.cache ?? {}).map(module => Object(module?.exports) as object);
  // In a bundle, and with some hooks of module loaders, the cache does not show packages: there, ipaddr.js, which this file imports, is missing.
  return !loaded.includes(ipaddr) || loaded.some(exports => Object.hasOwn(exports, 'ThrottlerGuard'));
}

/** Whether a provider of the app is a subclass of the guard, or replaces the guard by a factory or a value. */
export function replacesGuard(modules: ModulesContainer, guard: GuardClass): boolean {
  return [...modules.values()].some(({ providers, injectables }) =>
    [...providers.values(), ...injectables.values()].some(({ token, metatype }) =>
      token === guard ? metatype !== guard : metatype?.prototype instanceof guard,
    ),
  );
}

/** For a subclass of the app, which may call the methods of ThrottlerGuard. @throws if it is not loaded */
export function assertThrottler(subclass: string): void {
  if (throttler !== undefined) return;
  const because =
    failure === undefined
      ? 'was not loaded before the guard. Provide the guard with useClass or as RateLimitGuard, or import @nestjs/throttler in the app.'
      : 'cannot be loaded.';
  throw new Error(`${subclass} extends ThrottlerGuard, and @nestjs/throttler ${because}`, { cause: failure });
}

class LateGuard {
  constructor(...args: ConstructorParameters<typeof ThrottlerGuard>) {
    if (throttler !== undefined)
      return Reflect.construct(throttler.ThrottlerGuard, args, new.target) as unknown as LateGuard;
  }

  /** Again, for an app that has loaded @nestjs/throttler while it started. */
  async onApplicationBootstrap(): Promise<void> {
    await loadThrottler(false);
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
