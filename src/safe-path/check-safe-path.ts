/* Checks a relative path from a request. CWE-22, CWE-59, CWE-67 (device names of Windows, rejected on every system, so
 * that files can be moved between systems). */

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
