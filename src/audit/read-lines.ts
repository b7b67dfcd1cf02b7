import { createReadStream } from 'node:fs';

const MAX_LINE_BYTES = 16_777_216;

/** A line without its end, and whether it has one: the last may lack it. */
export interface FileLine {
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
