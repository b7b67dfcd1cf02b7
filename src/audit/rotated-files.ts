/* Files that were set aside from an audit file by rotation: FILE.000000000001 and so on, named by the number of their first line. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const DIGITS = 12;

export function rotatedName(path: string, begins: number): string {
  return `${path}.${String(begins).padStart(DIGITS, '0')}`;
}

/** The files that are there, in the order of their lines. */
export async function findRotated(path: string): Promise<string[]> {
  const name = basename(path);
  const names = await readdir(dirname(path));
  return names
    .filter(each => each.startsWith(`${name}.`) && /^\d{12}$/.test(each.slice(name.length + 1)))
    .toSorted()
    .map(each => join(dirname(path), each));
}
