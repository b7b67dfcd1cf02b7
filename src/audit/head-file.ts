/* The head of an audit file: how far the file was confirmed, in a file of its own beside it (FILE.head). A cut tail is found by it. Two
 * slots are written in turn, so that a write which power loss tears leaves the one before. */
import { readFile } from 'node:fs/promises';
import { type ChainAlgorithm, GENESIS, type Sealer } from './chain.js';
import { checkFile, LinkedFile, syncDirectory } from './linked-file.js';

/** The last confirmed line. */
export interface ChainHead {
  /** Its number and hash; 0 and the genesis for none. */
  readonly seq: number;
  readonly hash: string;
  /** The number of the file's first line. */
  readonly begins: number;
  /** Where the line ends. */
  readonly bytes: number;
}

export class HeadFile {
  /** What is confirmed. */
  head: ChainHead = { seq: 0, hash: GENESIS, begins: 1, bytes: 0 };
  readonly #path: string;
  #file: LinkedFile | undefined;
  #slot: 0 | 1 = 0;

  constructor(
    path: string,
    private readonly sealer: Sealer,
  ) {
    this.#path = `${path}.head`;
  }

  /** Reads the head. @returns what is wrong with it, if anything is: `'missing'` where there is none */
  async open(): Promise<string | undefined> {
    if ((await checkFile(this.#path)) === 0) return 'missing';
    const reading = readHead(this.sealer, await readFile(this.#path));
    if (!reading.found) {
      return reading.algorithm === undefined
        ? 'has a head that is damaged'
        : `has a head made by ${reading.algorithm}, with another key or without one`;
    }
    this.#file = await LinkedFile.open(this.#path);
    this.head = reading.head;
    this.#slot = reading.slot;
    return undefined;
  }

  /** Makes the file, with what is confirmed in both slots, so that it is never expected to be empty. */
  async create(): Promise<LinkedFile> {
    const file = await LinkedFile.open(this.#path);
    const slot = serializeHead(this.sealer, this.head);
    await file.truncate(2 * SLOT_BYTES);
    await file.write(Buffer.concat([slot, slot]), 0);
    await file.datasync();
    await syncDirectory(this.#path);
    return (this.#file = file);
  }

  /** Call it after the lines are on the disk: a head that is ahead of its file would look like a cut tail. */
  async confirm(head: ChainHead): Promise<void> {
    const slot = this.#slot === 0 ? 1 : 0;
    const file = this.#file ?? (await this.create());
    await file.write(serializeHead(this.sealer, head), slot * SLOT_BYTES);
    await file.datasync();
    this.#slot = slot;
    this.head = head;
  }

  /** @throws Error where the name has gone or leads elsewhere; the next confirmation makes the file again */
  async checkLink(): Promise<void> {
    const file = this.#file;
    if (file === undefined || (await file.isLinked())) return;
    this.#file = undefined;
    await file.close();
    throw new Error(`${this.#path} was removed or replaced`);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }
}

const SLOT_BYTES = 512;

function serializeHead(sealer: Sealer, { seq, hash, begins, bytes }: ChainHead): Buffer {
  const parts = { seq, hash, begins, bytes, algorithm: sealer.algorithm };
  const seal = sealer.hash(`head:${JSON.stringify(parts)}`);
  return Buffer.from(`${JSON.stringify({ ...parts, seal }).padEnd(SLOT_BYTES - 1)}\n`, 'latin1');
}

type HeadReading =
  | { readonly found: true; readonly head: ChainHead; readonly slot: 0 | 1; readonly damaged: boolean }
  /** `algorithm`: what the head says it was made with, where a key is missing or is not the one. */
  | { readonly found: false; readonly algorithm: ChainAlgorithm | undefined };

/** The newest slot that is whole. */
export function readHead(sealer: Sealer, content: Buffer): HeadReading {
  const first = readSlot(sealer, content.subarray(0, SLOT_BYTES));
  const second = readSlot(sealer, content.subarray(SLOT_BYTES, 2 * SLOT_BYTES));
  const isSecond = second !== undefined && (first === undefined || isNewer(second, first));
  const head = isSecond ? second : first;
  if (head === undefined) {
    const named = /"algorithm":"((?:hmac-)?sha256)"/.exec(content.toString('latin1', 0, 2 * SLOT_BYTES));
    return { found: false, algorithm: named?.[1] as ChainAlgorithm | undefined };
  }
  const hasSecond = content.length > SLOT_BYTES;
  const damaged =
    first === undefined || (hasSecond && second === undefined) || content.length > 2 * SLOT_BYTES;
  return { found: true, head, slot: isSecond ? 1 : 0, damaged };
}

const isNewer = (a: ChainHead, b: ChainHead): boolean =>
  a.seq > b.seq || (a.seq === b.seq && a.begins > b.begins);

function readSlot(sealer: Sealer, slot: Buffer): ChainHead | undefined {
  try {
    const { seq, hash, begins, bytes } = JSON.parse(slot.toString('latin1')) as ChainHead;
    const head = { seq, hash, begins, bytes };
    // As it was written, to the last blank: else a changed byte of the padding would pass.
    return serializeHead(sealer, head).equals(slot) ? head : undefined;
  } catch {
    return undefined;
  }
}
