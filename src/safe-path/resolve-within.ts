import { lstat, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';

/**
 * Where a checked path leads, with every symbolic link on the way followed.
 * @param root as `realpath` has it
 * @returns the path within `root`, or `undefined` if a link leads out of it. What does not exist yet is judged by the nearest folder
 * that does.
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
      // A link to nowhere, or to itself, exists and cannot be followed: what is written through it would be made elsewhere.
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
