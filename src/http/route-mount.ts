/* Where the app mounts its controllers: under the global prefix, and under versions in the path. */
import { VersioningType } from '@nestjs/common';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { eachHandler } from '../common/each-handler.js';

export interface RouteMount {
  /** The global prefix; `''` for none. */
  readonly prefix: string;
  /** What stands before the version in a path (`'v'`); `undefined` without URI versioning. */
  readonly versionPrefix: string | undefined;
}

export function readMount(config: ApplicationConfig): RouteMount {
  const versioning = config.getVersioning();
  const versionPrefix = versioning?.type === VersioningType.URI ? (versioning.prefix ?? 'v') : undefined;
  return {
    prefix: config.getGlobalPrefix().split('/').filter(Boolean).join('/'),
    versionPrefix: versionPrefix === false ? '' : versionPrefix,
  };
}

/** Everything that stands before the path of a controller: `''`, `/api`, `/v1`, `/api/v1`. A prefix with a parameter is left out. */
export function readMounts(config: ApplicationConfig, modules: ModulesContainer): readonly string[] {
  const { prefix, versionPrefix } = readMount(config);
  const prefixes = prefix === '' ? [''] : ['', `/${prefix}`];
  const versions =
    versionPrefix === undefined
      ? []
      : readVersions(config, modules).map(version => `/${versionPrefix}${version}`);
  const mounts = prefixes.flatMap(before => ['', ...versions].map(version => before + version));
  return mounts.filter(mount => !/[:*{(]/.test(mount));
}

/** The metadata of `@Version()` and of `@Controller({ version })`. */
const VERSION = '__version__';

function readVersions(config: ApplicationConfig, modules: ModulesContainer): readonly string[] {
  const found = new Set<unknown>([config.getVersioning()?.defaultVersion].flat());
  for (const { controller, handler } of eachHandler(modules))
    for (const target of [controller, handler])
      for (const version of [Reflect.getMetadata(VERSION, target) as unknown].flat()) found.add(version);
  return [...found].filter(version => typeof version === 'string');
}
