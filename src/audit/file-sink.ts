/* Records in a file, each line bound to the one before it. A write is confirmed when the lines, and behind them the head, are on the disk:
 * whoever was told so finds the line after `kill -9` and after power loss. */
import { access, readFile, rename } from 'node:fs/promises';
import { logLine } from '../common/log-text.js';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { type AuditRecord, serializeRecord } from './audit-record.js';
import type { AuditLine, AuditSink } from './audit-sink.js';
import type { AuditLog } from './audit-trail.js';
import { GENESIS, openLine, Sealer, sealLine } from './chain.js';
import { type ChainHead, readHead, serializeHead, SLOT_BYTES } from './chain-head.js';
import { FileLock } from '../common/file-lock.js';
import { checkFile, holdsAt, LinkedFile, syncDirectory, UntrustedFileError } from './linked-file.js';

export interface FileSinkOptions {
  readonly path: string;
  readonly key: string | undefined;
  readonly maxFileBytes: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told when the chain begins, and when its file has gone with lines in it. */
  readonly log: AuditLog;
}

/** What a crash can leave behind the head is one write; more is not read into memory. */
const MAX_UNCONFIRMED_BYTES = 268_435_456;

export class FileSink implements AuditSink {
  readonly name: string;
  readonly lingerMs = 100;
  readonly #sealer: Sealer;
  #lock: FileLock | undefined;
  #file: LinkedFile | undefined;
  #headFile: LinkedFile | undefined;
  #slot: 0 | 1 = 0;
  #head: Omit<ChainHead, 'algorithm'> = { seq: 0, hash: GENESIS, begins: 1, bytes: 0 };
  /** Whether the file may hold more than the head says. */
  #hasRest = false;
  #isWriting = false;

  constructor(private readonly options: FileSinkOptions) {
    this.name = `file ${options.path}`;
    this.#sealer = new Sealer(options.key);
  }

  /** @throws AgentSecurityConfigError for a file that is in use, cannot be written or trusted, or does not continue its chain */
  async open(): Promise<void> {
    const { path } = this.options;
    try {
      this.#lock = await FileLock.acquire(`${path}.lock`);
    } catch (error) {
      const { message, name } = error as Error;
      throw name === 'FileLockedError'
        ? this.#error(message, 'Give each process a file of its own.')
        : this.#error(
            `cannot be opened (${message})`,
            'Create its directory, and let this process write there.',
          );
    }
    try {
      await this.#readHead();
      await this.#openFile();
    } catch (error) {
      await this.close();
      if (error instanceof AgentSecurityConfigError) throw error;
      if (error instanceof UntrustedFileError)
        throw this.#error(
          `is refused: ${error.message}`,
          'Remove it, or give it to the user of this process with mode 600.',
        );
      throw this.#error(
        `cannot be opened (${String(error)})`,
        'Create its directory, and let this process write there.',
      );
    }
  }

  async write(lines: readonly AuditLine[]): Promise<void> {
    // Two at one time would write over each other, and the first may come to its end yet.
    if (this.#isWriting) throw new Error('the write before has not ended');
    this.#isWriting = true;
    try {
      if (this.#lock === undefined || !(await this.#lock.isHeld())) {
        throw new Error('another process has taken the file over');
      }
      await this.#checkLinks();
      await this.#openFile();
      if (this.#head.bytes >= this.options.maxFileBytes) await this.#rotate();
      await this.#append(lines.map(({ text }) => text));
      // Lines that went into a file whose name had gone are nowhere: nobody is told that they are safe.
      await this.#checkLinks();
    } finally {
      this.#isWriting = false;
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    await this.#headFile?.close();
    await this.#lock?.release();
    this.#file = this.#headFile = this.#lock = undefined;
  }

  /** @throws where the name of a file has gone or leads elsewhere, or lines are missing; the next write opens the files again */
  async #checkLinks(): Promise<void> {
    const [file, headFile] = [this.#file, this.#headFile];
    if (headFile !== undefined && !(await headFile.isLinked())) {
      this.#headFile = undefined;
      await headFile.close();
      throw new Error(`${this.options.path}.head was removed or replaced`);
    }
    if (file !== undefined && (!(await file.isLinked()) || (await file.size()) < this.#head.bytes)) {
      this.#file = undefined;
      await file.close();
      throw new Error('the file was removed, replaced or cut');
    }
  }

  async #append(texts: readonly string[]): Promise<void> {
    const file = this.#file!;
    let { seq, hash } = this.#head;
    const { bytes, begins } = this.#head;
    const rest = (await file.size()) - bytes;
    // Bytes of an own write that failed need no record.
    const foreign = rest > 0 && !this.#hasRest ? [this.#record('recovered', rest)] : [];
    let content = '';
    for (const text of [...foreign, ...texts]) {
      const sealed = sealLine(this.#sealer, text, ++seq, hash);
      content += sealed.line;
      hash = sealed.hash;
    }
    const buffer = Buffer.from(content, 'utf8');
    if (rest > 0) await file.truncate(bytes);
    this.#hasRest = true;
    await file.write(buffer, bytes);
    await file.datasync();
    await this.#confirm({ seq, hash, begins, bytes: bytes + buffer.length });
    this.#hasRest = false;
  }

  /** Written behind the lines, never before: a head that is ahead of its file would look like a cut tail. */
  async #confirm(head: Omit<ChainHead, 'algorithm'>): Promise<void> {
    const slot = this.#slot === 0 ? 1 : 0;
    const headFile = (this.#headFile ??= await this.#makeHead());
    await headFile.write(serializeHead(this.#sealer, head), slot * SLOT_BYTES);
    await headFile.datasync();
    this.#slot = slot;
    this.#head = head;
  }

  /** A head with what is confirmed in both slots, so that an empty one is never to be expected. */
  async #makeHead(): Promise<LinkedFile> {
    const path = `${this.options.path}.head`;
    const headFile = await LinkedFile.open(path);
    const slot = serializeHead(this.#sealer, this.#head);
    await headFile.truncate(2 * SLOT_BYTES);
    await headFile.write(Buffer.concat([slot, slot]), 0);
    await headFile.datasync();
    await syncDirectory(path);
    return headFile;
  }

  /** Sets the file aside. A start or a failure in the middle of it finds the file gone, or empty, and goes on likewise. */
  async #rotate(): Promise<void> {
    const { path } = this.options;
    const aside = rotatedName(path, this.#head.begins);
    if (await exists(aside)) throw new Error(`${aside} is there already`);
    await this.#file?.close();
    this.#file = undefined;
    await rename(path, aside);
    await syncDirectory(path);
    await this.#beginFile();
  }

  async #beginFile(): Promise<void> {
    this.#file ??= await LinkedFile.open(this.options.path);
    await syncDirectory(this.options.path);
    const { seq, hash } = this.#head;
    await this.#confirm({ seq, hash, begins: seq + 1, bytes: 0 });
    this.#hasRest = false;
  }

  async #readHead(): Promise<void> {
    const { path } = this.options;
    const headPath = `${path}.head`;
    const size = await checkFile(path);
    await checkFile(headPath);
    const content = await readFile(headPath).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    if (content.length === 0) {
      if (size > 0) throw this.#broken('has lines, and no head beside it');
      this.#headFile = await this.#makeHead();
      this.options.log.log(logLine`The audit file "${path}" begins a new chain.`);
      return;
    }
    const reading = readHead(this.#sealer, content);
    if (!reading.found) {
      throw reading.algorithm === undefined
        ? this.#broken('has a head that is damaged')
        : this.#broken(`has a head made by ${reading.algorithm}, with another key or without one`);
    }
    this.#headFile = await LinkedFile.open(headPath);
    this.#head = reading.head;
    this.#slot = reading.slot;
  }

  /** Opens the file where its head says that it ends, at a start and when it had to be closed. */
  async #openFile(): Promise<void> {
    if (this.#file !== undefined) return;
    const { path, log } = this.options;
    const { seq, begins, bytes } = this.#head;
    const size = await checkFile(path);
    if (size < bytes && size > 0) throw this.#broken(`ends before its line ${seq}`);
    if (size > 0) return this.#continueFile(size);
    // Set aside, by a rotation that did not come to its end or by somebody who keeps to its names: nothing is missing.
    const isLost = bytes > 0 && !(await holdsAt(rotatedName(path, begins), ...endOf(this.#head)));
    await this.#beginFile();
    if (!isLost) return;
    log.error(
      logLine`The audit file "${path}" has lost its lines ${begins} to ${seq}: it was removed, moved away or emptied. The chain goes on behind them.`,
    );
    await this.#append([this.#record('reopened', seq - begins + 1)]);
  }

  /** Takes over what was written and not confirmed when the process before ended, as far as it is whole. */
  async #continueFile(size: number): Promise<void> {
    const confirmed = this.#head;
    if (size - confirmed.bytes > MAX_UNCONFIRMED_BYTES)
      throw this.#broken('has more than one write behind its head');
    if (confirmed.bytes > 0 && !(await holdsAt(this.options.path, ...endOf(confirmed))))
      throw this.#broken(`has another line ${confirmed.seq} than its head says`);
    const file = (this.#file = await LinkedFile.open(this.options.path));
    const rest = await file.read(confirmed.bytes, size - confirmed.bytes);
    let { seq, hash } = confirmed;
    let whole = 0;
    for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a, whole)) {
      const line = openLine(this.#sealer, rest.subarray(whole, end));
      if (line === undefined || !line.intact || line.seq !== seq + 1 || line.prev !== hash) break;
      ({ seq, hash } = line);
      whole = end + 1;
    }
    const torn = rest.length - whole;
    if (torn > 0) await file.truncate(confirmed.bytes + whole);
    await file.datasync();
    await this.#confirm({ seq, hash, begins: confirmed.begins, bytes: confirmed.bytes + whole });
    this.#hasRest = false;
    if (torn > 0) await this.#append([this.#record('recovered', torn)]);
  }

  #record(event: AuditRecord['event'], count: number): string {
    return serializeRecord({ time: new Date(this.options.now()).toISOString(), event, count });
  }

  #broken(problem: string): AgentSecurityConfigError {
    return this.#error(
      problem,
      'Look at it with "npx nestjs-agent-security audit verify"; to begin a new chain, move it and its head away.',
    );
  }

  #error(problem: string, remedy: string): AgentSecurityConfigError {
    return new AgentSecurityConfigError(
      'ASEC_AUDIT_FILE',
      `audit.file "${this.options.path}"`,
      problem,
      remedy,
      this.options.path,
    );
  }
}

/** The name under which a file is set aside: in the order of its lines. */
function rotatedName(path: string, begins: number): string {
  return `${path}.${String(begins).padStart(12, '0')}`;
}

/** Where the last confirmed line ends, and with what. */
function endOf({ hash, bytes }: Omit<ChainHead, 'algorithm'>): [position: number, text: string] {
  const text = `"hash":"${hash}"}\n`;
  return [bytes - text.length, text];
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
