/* What package.json files say: of this package, of the app and of the packages that it runs on. They are looked up from the app's folder,
 * since a bundle of this package has no place of its own. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { isRecord } from '../common/read-options.js';
import type { PackageVersion } from './finding.js';
import { satisfies } from './version-range.js';

const OWN_NAME = 'nestjs-agent-security';

interface Manifest {
  readonly version?: string;
  readonly engines?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly repository?: unknown;
}

export interface PackageFacts {
  readonly versions: readonly PackageVersion[];
  /** The dependencies that the app's package.json names. */
  readonly installed: ReadonlySet<string>;
  readonly docsBase: string;
}

/** @param folder of the app's package.json; @param adapter the type of its adapter: `express` */
export function readPackageFacts(folder: string, adapter: string | undefined): PackageFacts {
  const read = (name: string): Manifest | undefined => readInstalled(folder, name);
  const own = read(OWN_NAME);
  const ranges: Readonly<Record<string, string>> = own?.peerDependencies ?? {};
  const names = [
    '@nestjs/common',
    '@nestjs/core',
    ...(adapter === undefined ? [] : [`@nestjs/platform-${adapter}`]),
  ];
  return {
    versions: [
      ...describe('node', process.versions.node, own?.engines?.['node']),
      ...names.flatMap(name => describe(name, read(name)?.version, ranges[name])),
      ...describe(OWN_NAME, own?.version, undefined),
    ],
    installed: new Set(Object.keys(readJson(join(folder, 'package.json'))?.dependencies ?? {})),
    docsBase: docsBase(own),
  };
}

const describe = (
  name: string,
  version: string | undefined,
  range: string | undefined,
): readonly PackageVersion[] =>
  version === undefined
    ? []
    : [{ name, version, range, isSupported: range === undefined || satisfies(version, range) }];

function readInstalled(folder: string, name: string): Manifest | undefined {
  try {
    return readJson(createRequire(join(folder, 'package.json')).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}

function readJson(path: string): Manifest | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isRecord(manifest) ? manifest : undefined;
  } catch {
    return undefined;
  }
}

/** The pages of the released version in its repository. */
function docsBase(own: Manifest | undefined): string {
  const { repository } = own ?? {};
  const text = isRecord(repository) ? repository['url'] : repository;
  const url = /^(?:git\+)?(https:\/\/[^#?]+?)(?:\.git)?$/.exec(typeof text === 'string' ? text : '')?.[1];
  return url === undefined ? '' : `${url}/blob/v${own?.version}/`;
}
