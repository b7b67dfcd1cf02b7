/* Tests that make sense on some versions of Nest only, each with its reason. `scripts/install-nest.mjs` installs the other versions. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

type Version = readonly [major: number, minor: number];

/** The version of an installed package. Not every version of every package exports its package.json. */
function installed(name: string): Version {
  for (let folder = dirname(require.resolve(name)); ; folder = dirname(folder)) {
    try {
      const text = readFileSync(join(folder, 'package.json'), 'utf8');
      const found = JSON.parse(text) as { name?: string; version: string };
      if (found.name === name) return found.version.split('.').map(Number) as unknown as Version;
    } catch {
      // A folder without package.json.
    }
  }
}

const NEST = installed('@nestjs/core');

export const isNestSince = (major: number, minor = 0): boolean =>
  NEST[0] > major || (NEST[0] === major && NEST[1] >= minor);

/**
 * `describe` for what came with a version of Nest: `sinceNest([12, 0], 'reason')('title', () => …)`.
 * @param _reason why the tests make no sense before
 */
export const sinceNest = ([major, minor]: Version, _reason: string): jest.Describe | jest.Describe['skip'] =>
  isNestSince(major, minor) ? describe : describe.skip;

/** `describe` for what a version of Nest ended. */
export const beforeNest = (
  [major, minor]: Version,
  _reason: string,
): jest.Describe | jest.Describe['skip'] => (isNestSince(major, minor) ? describe.skip : describe);
