/* Reads the metadata of @nestjs/throttler's decorators: `@Throttle({ name: { limit, ttl, … } })` and `@SkipThrottle({ name: true })`. */
import 'reflect-metadata';
import type {
  ThrottlerGenerateKeyFunction,
  ThrottlerGetTrackerFunction,
  ThrottlerOptions,
} from '@nestjs/throttler';

export interface ThrottleSettings {
  readonly name: string;
  readonly limit: ThrottlerOptions['limit'] | undefined;
  readonly ttl: ThrottlerOptions['ttl'] | undefined;
  readonly blockDuration: ThrottlerOptions['blockDuration'] | undefined;
  readonly getTracker: ThrottlerGetTrackerFunction | undefined;
  readonly generateKey: ThrottlerGenerateKeyFunction | undefined;
}

const LIMIT = 'THROTTLER:LIMIT';
const SKIP = 'THROTTLER:SKIP';

/** Every `@Throttle()` entry of the targets. The first target with a field wins: the handler before its class. */
export function readThrottles(targets: readonly object[]): readonly ThrottleSettings[] {
  return namesUnder(LIMIT, targets).map(name => {
    const read = <T>(field: string): T | undefined => firstDefined<T>(`THROTTLER:${field}${name}`, targets);
    return {
      name,
      limit: read('LIMIT'),
      ttl: read('TTL'),
      blockDuration: read('BLOCK_DURATION'),
      getTracker: read('TRACKER'),
      generateKey: read('KEY_GENERATOR'),
    };
  });
}

/** The names that `@SkipThrottle()` skips. */
export function readSkippedThrottles(targets: readonly object[]): ReadonlySet<string> {
  return new Set(
    namesUnder(SKIP, targets).filter(name => firstDefined<boolean>(SKIP + name, targets) === true),
  );
}

function namesUnder(prefix: string, targets: readonly object[]): readonly string[] {
  const keys = targets.flatMap(target => Reflect.getMetadataKeys(target) as unknown[]);
  const names = keys.filter((key): key is string => typeof key === 'string' && key.startsWith(prefix));
  return [...new Set(names.map(key => key.slice(prefix.length)))];
}

function firstDefined<T>(key: string, targets: readonly object[]): T | undefined {
  for (const target of targets) {
    const value = Reflect.getMetadata(key, target) as T | undefined;
    if (value !== undefined) return value;
  }
  return undefined;
}
