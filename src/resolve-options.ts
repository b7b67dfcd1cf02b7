/* Validates the options of the module, once, before the first request. */
import type { Feature } from './common/feature.js';
import {
  isRecord,
  type ReadEnvironment,
  readGiven,
  readObject,
  receivedError,
} from './common/read-options.js';
import { FEATURES } from './features.js';
import { FOREIGN_OPTIONS } from './foreign-options.js';

type AnyFeature = (typeof FEATURES)[number];

/** The resolved options of all features, by their keys. */
export type ResolvedOptions = {
  readonly [F in AnyFeature as F['key']]: F extends Feature<string, infer R> ? R : never;
};

const KNOWN: readonly AnyFeature['key'][] = FEATURES.map(({ key }) => key);

/**
 * Reads the result of a factory of `forRootAsync()`. An empty object is an error too: it is the result of spreading a
 * configuration that does not exist, and would leave authentication off.
 */
export function readFactoryOptions(returned: unknown): unknown {
  const options = readGiven<unknown>('the options that the factory of forRootAsync() returned', returned);
  if (!isRecord(options) || Object.keys(options).length > 0 || KNOWN.some(key => key in options))
    return options;
  throw receivedError(
    'ASEC_OPTIONS_MISSING',
    'the options that the factory of forRootAsync() returned',
    'must name an option',
    'Look for a misspelt name where they come from; for the defaults alone, use forRoot().',
    options,
  );
}

/** Validates resolved options further, where that takes loading a library. @throws AgentSecurityConfigError for the first invalid one */
export async function verifyOptions(resolved: ResolvedOptions): Promise<ResolvedOptions> {
  for (const { key, verify } of FEATURES as readonly Feature<AnyFeature['key'], unknown>[])
    await verify?.(resolved[key]);
  return resolved;
}

/** Reads all options once, at start-up. @throws AgentSecurityConfigError for the first invalid option */
export function resolveOptions(input: unknown, env: ReadEnvironment): ResolvedOptions {
  const options = readObject('', readGiven('options', input), KNOWN, FOREIGN_OPTIONS);
  const resolved: Record<string, unknown> = {};
  for (const { key, resolve } of FEATURES) resolved[key] = resolve(options[key], env, resolved);
  return resolved as ResolvedOptions;
}
