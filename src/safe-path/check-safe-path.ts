/* Checks a relative path from a request. CWE-22, CWE-59, CWE-67 (device names of Windows, rejected on every system, so
 * that files can be moved between systems). */

import { lstat, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';

export type PathFault =
  | 'empty'
  | 'too-long'
  | 'control'
  | 'absolute'
  | 'backslash'
  | 'colon'
  | 'encoded'
  | 'segment'
  | 'dotfile'
  | 'device';

const MAX_LENGTH = 1024;
const MAX_SEGMENT_BYTES = 255;

const DEVICE = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)(?: *\.|$)/i;

/** @returns the fault of a relative path; `undefined` for a safe path */
export function checkSafePath(path: string, dotfiles: boolean): PathFault | undefined {
  if (path === '') return 'empty';
  if (path.length > MAX_LENGTH) return 'too-long';
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(path)) return 'control';
  if (path.startsWith('/') || path.startsWith('~')) return 'absolute';
  if (path.includes('\\')) return 'backslash';
  // A drive (C:x) or an alternate data stream (x.txt:y).
  if (path.includes(':')) return 'colon';
  // Unsafe if it is decoded once more.
  if (/%(?:25)*(?:2e|2f|5c|00|3a)/i.test(path)) return 'encoded';
  for (const segment of path.split('/')) {
    // Windows removes dots and spaces at the end of a name, so that `..␠` is `..`.
    if (segment === '' || /[. ]$/.test(segment) || Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)
      return 'segment';
    if (segment.startsWith('.') && (!dotfiles || segment === '..')) return 'dotfile';
    if (DEVICE.test(segment)) return 'device';
  }
  return undefined;
}

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
