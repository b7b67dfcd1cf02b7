import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const MAX_LINE_BYTES = 16_777_216;

/** A line without its end, and whether it has one: the last may lack it. */
interface FileLine {
  readonly bytes: Buffer;
  readonly isWhole: boolean;
  /** Where the line begins in the file. */
  readonly offset: number;
}

/** The lines of a file, read piece by piece. @throws Error for a line beyond 16 MiB */
export async function* readLines(path: string): AsyncGenerator<FileLine> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let offset = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1_048_576 }) as AsyncIterable<Buffer>) {
    let begin = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, begin)) {
      const part = chunk.subarray(begin, end);
      const bytes = restBytes === 0 ? part : Buffer.concat([...rest, part]);
      yield { bytes, isWhole: true, offset };
      offset += bytes.length + 1;
      rest = [];
      restBytes = 0;
      begin = end + 1;
    }
    rest.push(chunk.subarray(begin));
    restBytes += chunk.length - begin;
    if (restBytes > MAX_LINE_BYTES) throw new Error(`${path} has a line beyond ${MAX_LINE_BYTES} bytes`);
  }
  if (restBytes > 0) yield { bytes: Buffer.concat(rest), isWhole: false, offset };
}

/* Files that were set aside from an audit file by rotation: FILE.000000000001 and so on, named by the number of their first line. */

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
