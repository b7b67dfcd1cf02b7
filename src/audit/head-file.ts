/* The head of an audit file on the disk: FILE.head. */
import { readFile } from 'node:fs/promises';
import { type ChainHead, readHead, serializeHead, SLOT_BYTES, GENESIS, type Sealer } from './chain.js';
import { checkFile, LinkedFile, syncDirectory } from './linked-file.js';

export type ConfirmedHead = Omit<ChainHead, 'algorithm'>;

export class HeadFile {
  /** What is confirmed. */
  head: ConfirmedHead = { seq: 0, hash: GENESIS, begins: 1, bytes: 0 };
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
    await checkFile(this.#path);
    const content = await readFile(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    if (content.length === 0) return 'missing';
    const reading = readHead(this.sealer, content);
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
  async confirm(head: ConfirmedHead): Promise<void> {
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
