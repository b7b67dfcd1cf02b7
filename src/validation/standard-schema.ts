/* The interface of Standard Schemas (standardschema.dev), which zod, valibot and arktype have, and what their input must not contain. */
import { isRecord } from '../common/read-options.js';

type PathSegment = PropertyKey | { readonly key: PropertyKey };

interface Issue {
  readonly message: string;
  readonly path?: readonly PathSegment[] | undefined;
}

type Result =
  { readonly value: unknown; readonly issues?: undefined } | { readonly issues: readonly Issue[] };

/** A schema of any library that follows Standard Schema version 1. */
export interface StandardSchema {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Result | Promise<Result>;
  };
}

/** The schemas of arktype are functions. */
export const isStandardSchema = (value: unknown): value is StandardSchema =>
  (typeof value === 'function' || isRecord(value)) &&
  typeof (value as Partial<StandardSchema>)['~standard']?.validate === 'function';

const POLLUTING = ['__proto__', 'prototype', 'constructor'] as const;

/**
 * Removes the members that pollute a prototype where a value is merged into another, and returns the value. `BodyGuard` rejects them in
 * bodies of HTTP requests, but not in messages of gateways. Without recursion: clients choose the depth.
 */
export function withoutPollution(value: unknown): unknown {
  const seen = new Set<unknown>();
  const waiting = [value];
  while (waiting.length > 0) {
    const at = waiting.pop();
    const isPlain = isRecord(at) && [Object.prototype, null].includes(Object.getPrototypeOf(at) as null);
    if (seen.has(at) || !(isPlain || Array.isArray(at))) continue;
    seen.add(at);
    if (isPlain) for (const key of POLLUTING) if (Object.hasOwn(at, key)) delete at[key];
    // Unlike a loop over the indexes, this skips the holes of a sparse array.
    for (const inner of Object.values(at)) waiting.push(inner);
  }
  return value;
}
