/* Finds source maps in the folders that the app serves. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Enough to see that there are some. */
const MAX_FOUND = 5;
/** A folder of uploads can hold millions. */
const MAX_ENTRIES = 50_000;

export function findSourceMaps(roots: readonly string[]): readonly string[] {
  const found: string[] = [];
  const open = [...roots];
  let entries = 0;
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const entry of readFolder(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) open.push(path);
      else if (/\.(?:js|mjs|cjs|css)\.map$/i.test(entry.name)) found.push(path);
      if (found.length >= MAX_FOUND || ++entries >= MAX_ENTRIES) return found;
    }
  }
  return found;
}

function readFolder(folder: string): ReturnType<typeof readDirectory> {
  try {
    return readDirectory(folder);
  } catch {
    return []; // ServeStaticModule allows a folder that is not there.
  }
}

const readDirectory = (folder: string) => readdirSync(folder, { withFileTypes: true });
