/* Records in a file, each line bound to the one before it. A write is confirmed when the lines, and behind them the head, are on the disk:
 * whoever was told so finds the line after `kill -9` and after power loss. */
import { constants } from 'node:fs';
import { access, type FileHandle, open, readFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { serializeRecord } from './audit-record.js';
import type { AuditLine, AuditSink } from './audit-sink.js';
import { GENESIS, openLine, Sealer, sealLine } from './chain.js';
import { type ChainHead, readHead, serializeHead, SLOT_BYTES } from './chain-head.js';
import { FileLock } from '../common/file-lock.js';

export interface FileSinkOptions {
  readonly path: string;
  readonly key: string | undefined;
  readonly maxFileBytes: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What a crash can leave behind the head is one write; more is not read into memory. */
const MAX_UNCONFIRMED_BYTES = 268_435_456;

export class FileSink implements AuditSink {
  readonly name: string;
  readonly lingerMs = 100;
  readonly #sealer: Sealer;
  #lock: FileLock | undefined;
  #log: FileHandle | undefined;
  #headFile: FileHandle | undefined;
  #slot: 0 | 1 = 0;
  #head: Omit<ChainHead, 'algorithm'> = { seq: 0, hash: GENESIS, begins: 1, bytes: 0 };
  /** Whether the file may hold more than the head says. */
  #hasRest = false;

  constructor(private readonly options: FileSinkOptions) {
    this.name = `file ${options.path}`;
    this.#sealer = new Sealer(options.key);
  }

  /** @throws AgentSecurityConfigError for a file that is in use, cannot be written, or does not continue its chain */
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
      await this.#recover();
    } catch (error) {
      await this.close();
      if (error instanceof AgentSecurityConfigError) throw error;
      throw this.#error(
        `cannot be opened (${String(error)})`,
        'Create its directory, and let this process write there.',
      );
    }
  }

  async write(lines: readonly AuditLine[]): Promise<void> {
    if (this.#lock === undefined || !(await this.#lock.isHeld())) {
      throw new Error('another process has taken the file over');
    }
    if (this.#head.bytes >= this.options.maxFileBytes) await this.#rotate();
    await this.#append(lines.map(({ text }) => text));
  }

  async close(): Promise<void> {
    await this.#log?.close();
    await this.#headFile?.close();
    await this.#lock?.release();
    this.#log = this.#headFile = this.#lock = undefined;
  }

  async #append(texts: readonly string[]): Promise<void> {
    const log = (this.#log ??= await openForUpdate(this.options.path));
    let { seq, hash } = this.#head;
    let content = '';
    for (const text of texts) {
      const sealed = sealLine(this.#sealer, text, ++seq, hash);
      content += sealed.line;
      hash = sealed.hash;
    }
    const buffer = Buffer.from(content, 'utf8');
    const { bytes, begins } = this.#head;
    if (this.#hasRest) await log.truncate(bytes);
    this.#hasRest = true;
    await writeAll(log, buffer, bytes);
    await log.datasync();
    await this.#confirm({ seq, hash, begins, bytes: bytes + buffer.length });
    this.#hasRest = false;
  }

  /** Written behind the lines, never before: a head that is ahead of its file would look like a cut tail. */
  async #confirm(head: Omit<ChainHead, 'algorithm'>): Promise<void> {
    const slot = this.#slot === 0 ? 1 : 0;
    await writeAll(this.#headFile!, serializeHead(this.#sealer, head), slot * SLOT_BYTES);
    await this.#headFile!.datasync();
    this.#slot = slot;
    this.#head = head;
  }

  /** Sets the file aside. A start in the middle of it finds the file gone, or empty, and goes on likewise. */
  async #rotate(): Promise<void> {
    const { path } = this.options;
    const aside = rotatedName(path, this.#head.begins);
    if (await exists(aside)) throw new Error(`${aside} is there already`);
    await this.#log?.close();
    this.#log = undefined;
    await rename(path, aside);
    await syncDirectory(path);
    await this.#beginFile();
  }

  async #beginFile(): Promise<void> {
    this.#log ??= await openForUpdate(this.options.path);
    await syncDirectory(this.options.path);
    const { seq, hash } = this.#head;
    await this.#confirm({ seq, hash, begins: seq + 1, bytes: 0 });
  }

  async #recover(): Promise<void> {
    const { path } = this.options;
    const headPath = `${path}.head`;
    const content = await readFile(headPath).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    const size = (await stat(path).catch(() => undefined))?.size ?? 0;
    if (content === undefined || content.length === 0) {
      if (size > 0) throw this.#broken('has lines, and no head beside it');
      this.#headFile = await openForUpdate(headPath);
      await this.#beginFile();
      // Both slots, so that an empty one is never to be expected.
      return this.#confirm(this.#head);
    }
    const reading = readHead(this.#sealer, content);
    if (!reading.found) {
      throw reading.algorithm === undefined
        ? this.#broken('has a head that is damaged')
        : this.#broken(`has a head made by ${reading.algorithm}, with another key or without one`);
    }
    this.#headFile = await openForUpdate(headPath);
    this.#head = reading.head;
    this.#slot = reading.slot;
    if (size < reading.head.bytes && size > 0) throw this.#broken(`ends before its line ${reading.head.seq}`);
    // Moved away, by a rotation of this process or of somebody else's: the chain goes on in a new file.
    if (size === 0) return this.#beginFile();
    return this.#continueFile(size);
  }

  /** Takes over what was written and not confirmed when the process before ended, as far as it is whole. */
  async #continueFile(size: number): Promise<void> {
    const log = (this.#log = await openForUpdate(this.options.path));
    const confirmed = this.#head;
    if (size - confirmed.bytes > MAX_UNCONFIRMED_BYTES)
      throw this.#broken('has more than one write behind its head');
    if (confirmed.bytes > 0) {
      const end = `"hash":"${confirmed.hash}"}\n`;
      const found = await readAt(log, confirmed.bytes - end.length, end.length);
      if (found.toString('latin1') !== end)
        throw this.#broken(`has another line ${confirmed.seq} than its head says`);
    }
    const rest = await readAt(log, confirmed.bytes, size - confirmed.bytes);
    let { seq, hash } = confirmed;
    let whole = 0;
    for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a, whole)) {
      const line = openLine(this.#sealer, rest.subarray(whole, end));
      if (line === undefined || !line.intact || line.seq !== seq + 1 || line.prev !== hash) break;
      ({ seq, hash } = line);
      whole = end + 1;
    }
    const torn = rest.length - whole;
    if (torn > 0) await log.truncate(confirmed.bytes + whole);
    await log.datasync();
    await this.#confirm({ seq, hash, begins: confirmed.begins, bytes: confirmed.bytes + whole });
    if (torn === 0) return;
    const time = new Date(this.options.now()).toISOString();
    await this.#append([serializeRecord({ time, event: 'recovered', count: torn })]);
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
export function rotatedName(path: string, begins: number): string {
  return `${path}.${String(begins).padStart(12, '0')}`;
}

async function openForUpdate(path: string): Promise<FileHandle> {
  // Not through a link: in a directory that others can write, it could lead to a file of their choice.
  const noFollow = constants.O_NOFOLLOW ?? 0;
  return open(path, constants.O_RDWR | constants.O_CREAT | noFollow, 0o600);
}

async function writeAll(file: FileHandle, content: Buffer, position: number): Promise<void> {
  for (let at = 0; at < content.length;) {
    const { bytesWritten } = await file.write(content, at, content.length - at, position + at);
    at += bytesWritten;
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(Math.max(0, length));
  let at = 0;
  while (at < buffer.length) {
    const { bytesRead } = await file.read(buffer, at, buffer.length - at, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return buffer.subarray(0, at);
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Where the system knows no such thing, a new name is as safe as it makes it. */
async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(dirname(path), 'r');
    await directory.sync().finally(() => directory.close());
  } catch {
    // Windows cannot open a directory.
  }
}
