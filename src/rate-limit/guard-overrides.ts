/* What a subclass of RateLimitGuard overrides, in its prototype or in its fields. */
import type { ExecutionContext } from '@nestjs/common';
import type { TrackerOverrides } from './create-quota-request.js';

export interface GuardOverrides extends TrackerOverrides {
  readonly shouldSkip: ((context: ExecutionContext) => Promise<boolean>) | undefined;
  /** Whether one of the three above is overridden, so that a decision calls a function of the app. */
  readonly hasAny: boolean;
  /** Whether the answer to a denied request is overridden. */
  readonly changesDenial: boolean;
}

/** The guard's methods, which are protected. */
interface Overridable {
  getTracker: NonNullable<TrackerOverrides['getTracker']>;
  generateKey: NonNullable<TrackerOverrides['generateKey']>;
  shouldSkip(context: ExecutionContext): Promise<boolean>;
  throwThrottlingException: unknown;
  getErrorMessage: unknown;
}

export function readOverrides(guard: object, prototype: object): GuardOverrides {
  const [own, base] = [guard as Overridable, prototype as Overridable];
  const getTracker = own.getTracker === base.getTracker ? undefined : own.getTracker.bind(guard);
  const generateKey = own.generateKey === base.generateKey ? undefined : own.generateKey.bind(guard);
  const shouldSkip = own.shouldSkip === base.shouldSkip ? undefined : own.shouldSkip.bind(guard);
  return {
    getTracker,
    generateKey,
    shouldSkip,
    hasAny: (getTracker ?? generateKey ?? shouldSkip) !== undefined,
    changesDenial:
      own.throwThrottlingException !== base.throwThrottlingException ||
      own.getErrorMessage !== base.getErrorMessage,
  };
}
