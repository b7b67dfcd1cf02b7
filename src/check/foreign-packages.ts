/* Finds what other packages have registered in the app for work that the module does. A package may be loaded in another copy than one that
 * this file could import, so it is recognized by its names. */
import type { AbstractHttpAdapter } from '@nestjs/core';
import { isRecord } from '../common/read-options.js';

export const FOREIGN_PACKAGES = [
  'helmet',
  '@fastify/helmet',
  'cors',
  '@fastify/cors',
  '@nestjs/throttler',
  'express-rate-limit',
  '@fastify/rate-limit',
] as const;

export type ForeignPackage = (typeof FOREIGN_PACKAGES)[number];

/** What is read of Nest's `InstanceWrapper`. */
export interface Provider {
  readonly metatype: unknown;
  readonly instance: unknown;
}

export function findForeign(
  adapter: AbstractHttpAdapter | undefined,
  providers: readonly Provider[],
): ReadonlySet<ForeignPackage> {
  const found = new Set<ForeignPackage>(adapter === undefined ? [] : findInAdapter(adapter));
  if (providers.some(isThrottler) && !providers.some(isOwnStorage)) found.add('@nestjs/throttler');
  return found;
}

function findInAdapter(adapter: AbstractHttpAdapter): readonly ForeignPackage[] {
  const instance: unknown = adapter.getInstance();
  if (typeof instance !== 'function' && !isRecord(instance)) return [];
  const { hasPlugin, router } = instance as { hasPlugin?: unknown; router?: { stack?: readonly Layer[] } };
  if (typeof hasPlugin === 'function')
    return FOREIGN_PACKAGES.filter(
      name => name.startsWith('@fastify/') && hasPlugin.call(instance, name) === true,
    );
  return (router?.stack ?? []).flatMap(({ handle }) => nameMiddleware(handle) ?? []);
}

interface Layer {
  readonly handle: unknown;
}

function nameMiddleware(handle: unknown): ForeignPackage | undefined {
  if (typeof handle !== 'function') return undefined;
  if (handle.name === 'helmetMiddleware') return 'helmet';
  if (handle.name === 'corsMiddleware') return 'cors';
  // The middleware of express-rate-limit has no name, but these methods.
  return 'resetKey' in handle && 'getKey' in handle ? 'express-rate-limit' : undefined;
}

/** Whether a provider is a `ThrottlerGuard`, or extends it otherwise than the module's own guard does. */
function isThrottler({ metatype, instance }: Provider): boolean {
  const named = isRecord(instance) ? instance.constructor : metatype;
  const names: string[] = [];
  for (let type: unknown = named; typeof type === 'function'; type = Object.getPrototypeOf(type))
    names.push(type.name);
  return names.includes('ThrottlerGuard') && !names.includes('RateLimitGuard');
}

/** The storage of docs/migration.md, with which guards of @nestjs/throttler count as the module does. */
const isOwnStorage = ({ instance }: Provider): boolean =>
  isRecord(instance) && instance.constructor.name === 'QuotaThrottlerStorage';
