import { lstat, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';

/**
 * Resolves a checked path and its symbolic links.
 * @param root a result of `realpath`
 * @returns the path within `root`, or `undefined` if a link leads out of it. For a path that does not exist, the nearest existing folder is
 * resolved.
 */
export async function resolveWithin(root: string, path: string): Promise<string | undefined> {
  const wanted = join(root, path);
  let existing = wanted;
  for (;;) {
    try {
      const real = await realpath(existing);
      return isWithin(root, real) ? join(real, relative(existing, wanted)) : undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // A dangling link cannot be resolved, and a write through it would create its target.
      if (code !== 'ENOENT' || existing === root || (await isLink(existing))) return undefined;
      existing = dirname(existing);
    }
  }
}

function isWithin(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    stats => stats.isSymbolicLink(),
    () => false,
  );
}
