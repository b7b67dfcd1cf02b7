/*
 * The base classes of @nestjs/throttler, which become those of this package's guard and exception at start-up. A static import would load
 * that CommonJS package while the ES modules of Nest load, and it requires Nest: Jest's ESM mode refuses such a cycle.
 */
import { HttpException, HttpStatus } from '@nestjs/common';
import type { ThrottlerException, ThrottlerGuard } from '@nestjs/throttler';

type Throttler = typeof import('@nestjs/throttler');

let throttler: Throttler | undefined;
let failure: unknown;

/** Loads @nestjs/throttler. Where that fails, as in Jest's ESM mode on Node 22, limits work, and no class of the app can have its types. */
export async function loadThrottler(): Promise<void> {
  if (throttler !== undefined) return;
  try {
    const loaded = await import('@nestjs/throttler');
    Object.setPrototypeOf(LateGuard.prototype, loaded.ThrottlerGuard.prototype as object);
    Object.setPrototypeOf(LateException.prototype, loaded.ThrottlerException.prototype as object);
    throttler = loaded;
  } catch (error) {
    failure = error;
  }
}

/** For a subclass of the app, which may call the methods of ThrottlerGuard. @throws if it is not loaded */
export function requireThrottler(subclass: string): void {
  if (throttler !== undefined) return;
  throw new Error(`${subclass} extends ThrottlerGuard, and @nestjs/throttler cannot be loaded.`, {
    cause: failure,
  });
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
