/* Verifies the files of a chain: finds lines that were changed, removed, moved or inserted, and a tail that was cut. */
import { createReadStream } from 'node:fs';
import { access, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type ChainLine, GENESIS, openLine, Sealer } from './chain.js';
import { type ChainHead, readHead } from './head-file.js';

interface ChainFault {
  readonly kind: 'changed' | 'missing' | 'moved' | 'unlinked' | 'truncated' | 'head';
  readonly text: string;
}

export interface ChainReport {
  readonly files: readonly string[];
  /** Lines that are whole. */
  readonly lines: number;
  readonly first: number | undefined;
  readonly last: number | undefined;
  /** Of the last whole line. */
  readonly hash: string | undefined;
  /** The first hundred. */
  readonly faults: readonly ChainFault[];
  readonly notes: readonly string[];
}

const MAX_FAULTS = 100;

/**
 * Verifies a file and the files that rotation has set aside from it.
 * @param from the number of the first line that must be there: earlier lines are archived elsewhere
 */
export async function verifyChain(path: string, key: string | undefined, from = 1): Promise<ChainReport> {
  const check = new ChainCheck(new Sealer(key), from);
  const aside = await findRotated(path);
  const content = await readFile(`${path}.head`).catch(() => undefined);
  const isThere = await access(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      // A file that a head confirms, or that others were set aside from, has been removed.
      if (error.code === 'ENOENT' && (content !== undefined || aside.length > 0)) return false;
      throw error;
    },
  );
  const confirmedBytes = check.readHead(content);
  for (const file of aside) await check.readFile(file, Infinity);
  if (isThere) await check.readFile(path, confirmedBytes);
  return check.finish(isThere ? [...aside, path] : aside);
}

type Range = [from: number, to: number];

class ChainCheck {
  readonly #faults: ChainFault[] = [];
  readonly #notes: string[] = [];
  /** Numbers that were passed over. */
  #gaps: Range[] = [];
  #expected: number;
  /** The hash that the next line must name; `undefined` behind a line that is not whole. */
  #prev: string | undefined;
  #lines = 0;
  #first: number | undefined;
  #last: ChainLine | undefined;
  #head: ChainHead | undefined;
  /** The hash of the line that the head has confirmed. */
  #confirmed: string | undefined;

  constructor(
    private readonly sealer: Sealer,
    from: number,
  ) {
    this.#expected = from;
    if (from === 1) this.#prev = GENESIS;
  }

  /** @returns where the last confirmed line ends */
  readHead(content: Buffer | undefined): number {
    if (content === undefined) {
      this.#fault('head', 'The file has no head (FILE.head): a cut tail cannot be detected.');
      return Infinity;
    }
    const reading = readHead(this.sealer, content);
    const { algorithm } = this.sealer;
    if (!reading.found) {
      this.#fault(
        'head',
        reading.algorithm === undefined || reading.algorithm === algorithm
          ? 'The head is damaged, or it was made with another key.'
          : `The chain was made by ${reading.algorithm}, and is verified by ${algorithm}: ${algorithm === 'sha256' ? 'pass its key' : 'it has no key'}.`,
      );
      return Infinity;
    }
    if (reading.damaged) this.#fault('head', 'A part of the head is damaged.');
    this.#head = reading.head;
    return reading.head.bytes;
  }

  /** @param confirmedBytes an unfinished line behind them is no fault */
  async readFile(path: string, confirmedBytes: number): Promise<void> {
    let number = 0;
    for await (const { bytes, isWhole, offset } of readLines(path)) {
      const place = `${basename(path)}:${++number}`;
      if (isWhole) this.#readLine(bytes, place);
      else if (offset < confirmedBytes) this.#fault('changed', `${place} does not end.`);
      else
        this.#notes.push(
          `${bytes.length} bytes of an unfinished line stand at the end: the process ended while it wrote them, and confirmed none of them.`,
        );
    }
  }

  #readLine(bytes: Buffer, place: string): void {
    const line = openLine(this.sealer, bytes);
    if (line === undefined) {
      this.#fault('changed', `${place} was changed (line ${this.#expected} stands there).`);
      this.#expected++;
      this.#prev = undefined;
      return;
    }
    this.#lines++;
    if (line.seq === this.#head?.seq) this.#confirmed = line.hash;
    if (this.#first === undefined) {
      this.#first = line.seq;
      // Lines before the first that has to be there are verified where they are.
      if (line.seq < this.#expected) {
        this.#expected = line.seq;
        if (line.seq === 1) this.#prev = GENESIS;
      }
    }
    if (line.seq < this.#expected) {
      this.#fault('moved', `${place} is line ${line.seq} out of its place.`);
      this.#fillGap(line.seq);
      return;
    }
    if (line.seq > this.#expected) this.#gaps.push([this.#expected, line.seq - 1]);
    else if (this.#prev !== undefined && line.prev !== this.#prev) {
      this.#fault('unlinked', `${place} does not follow the line before it: one of the two was replaced.`);
    }
    this.#expected = line.seq + 1;
    this.#prev = line.hash;
    this.#last = line;
  }

  /** A line out of its place is not missing. */
  #fillGap(seq: number): void {
    this.#gaps = this.#gaps.flatMap(([from, to]): Range[] => {
      if (seq < from || seq > to) return [[from, to]];
      const parts: Range[] = [
        [from, seq - 1],
        [seq + 1, to],
      ];
      return parts.filter(([low, high]) => low <= high);
    });
  }

  finish(files: readonly string[]): ChainReport {
    for (const [from, to] of this.#gaps) this.#fault('missing', `${lines(from, to)} missing.`);
    const head = this.#head;
    const next = this.#expected;
    if (head !== undefined) {
      if (head.seq >= next)
        this.#fault(
          'truncated',
          `${lines(next, head.seq)} missing at the end: the head confirms the lines up to ${head.seq}.`,
        );
      else if (this.#confirmed !== undefined && this.#confirmed !== head.hash)
        this.#fault('unlinked', `Line ${head.seq} is not the one that the head confirms.`);
      else if (next - 1 > head.seq)
        this.#notes.push(`${lines(head.seq + 1, next - 1)} written and not yet confirmed.`);
    }
    return {
      files,
      lines: this.#lines,
      first: this.#first,
      last: this.#last?.seq,
      hash: this.#last?.hash,
      faults: this.#faults.slice(0, MAX_FAULTS),
      notes: this.#notes,
    };
  }

  #fault(kind: ChainFault['kind'], text: string): void {
    if (this.#faults.length <= MAX_FAULTS) this.#faults.push({ kind, text });
  }
}

const lines = (from: number, to: number): string =>
  from === to ? `Line ${from} is` : `Lines ${from} to ${to} are`;

const MAX_LINE_BYTES = 16_777_216;

/** The lines of a file without their ends, read piece by piece; the last may lack its end. @throws Error for a line beyond 16 MiB */
async function* readLines(
  path: string,
): AsyncGenerator<{ readonly bytes: Buffer; readonly isWhole: boolean; readonly offset: number }> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1_048_576 }) as AsyncIterable<Buffer>) {
    const piece = Buffer.concat([rest, chunk]);
    let begin = 0;
    for (let end = piece.indexOf(0x0a, rest.length); end !== -1; end = piece.indexOf(0x0a, begin)) {
      yield { bytes: piece.subarray(begin, end), isWhole: true, offset: offset + begin };
      begin = end + 1;
    }
    rest = piece.subarray(begin);
    offset += begin;
    if (rest.length > MAX_LINE_BYTES) throw new Error(`${path} has a line beyond ${MAX_LINE_BYTES} bytes`);
  }
  if (rest.length > 0) yield { bytes: rest, isWhole: false, offset };
}

/** The files that rotation has set aside (FILE.000000000001 and so on), in the order of their lines. */
async function findRotated(path: string): Promise<string[]> {
  const name = basename(path);
  const names = await readdir(dirname(path));
  return names
    .filter(each => each.startsWith(`${name}.`) && /^\d{12}$/.test(each.slice(name.length + 1)))
    .toSorted()
    .map(each => join(dirname(path), each));
}
