/* Writes audit records to a file with a hash chain. A write is confirmed once the lines, and after them the head, are on the disk: a
 * confirmed line is there after `kill -9` and after power loss. */
import { rename } from 'node:fs/promises';
import { logLine, type Log } from '../common/log-text.js';
import { type AuditLine, type AuditRecord, createLine } from './audit-record.js';
import type { ChainedSink, SinkChain } from './audit-sink.js';
import { readContinuation, Sealer, sealLine } from './chain.js';
import { type ChainHead, HeadFile } from './head-file.js';
import { FileLock, FileLockedError } from '../common/file-lock.js';
import { checkFile, holdsAt, LinkedFile, statOf, syncDirectory, UntrustedFileError } from './linked-file.js';
import { AgentSecurityConfigError } from '../common/config-error.js';

interface FileSinkOptions {
  readonly path: string;
  readonly key: string | undefined;
  readonly maxFileBytes: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** For the begin of a chain, and for a file that has gone with lines in it. */
  readonly log: Pick<Log, 'log' | 'error'>;
}

/** A crash leaves at most one write after the confirmed lines; more is not read into memory. */
const MAX_UNCONFIRMED_BYTES = 268_435_456;

export class FileSink implements ChainedSink {
  readonly name: string;
  readonly lingerMs = 100;
  readonly #sealer: Sealer;
  readonly #headFile: HeadFile;
  #lock: FileLock | undefined;
  #file: LinkedFile | undefined;
  /** Whether the file may hold more than the head says. */
  #hasRest = false;
  #isWriting = false;

  constructor(private readonly options: FileSinkOptions) {
    this.name = `file ${options.path}`;
    this.#sealer = new Sealer(options.key);
    this.#headFile = new HeadFile(options.path, this.#sealer);
  }

  get chain(): SinkChain {
    const { seq, hash } = this.#headFile.head;
    return { seq, hash, isKeyed: this.options.key !== undefined };
  }

  /** @throws AgentSecurityConfigError for a file that is in use, cannot be written or trusted, or does not continue its chain */
  async open(): Promise<void> {
    const { path } = this.options;
    try {
      this.#lock = await FileLock.acquire(`${path}.lock`);
      await this.#readHead();
      await this.#openFile();
    } catch (error) {
      await this.close();
      throw toFileError(path, error as Error);
    }
  }

  async write(lines: readonly AuditLine[]): Promise<void> {
    // Two writes at a time would overwrite each other, and the first may still succeed.
    if (this.#isWriting) throw new Error('the previous write has not ended');
    this.#isWriting = true;
    try {
      if (this.#lock === undefined || !(await this.#lock.isHeld())) {
        throw new Error('another process has taken the file over');
      }
      await this.#checkLinks();
      await this.#openFile();
      if (this.#headFile.head.bytes >= this.options.maxFileBytes) await this.#rotate();
      await this.#append(lines.map(({ text }) => text));
      // Lines in a file whose name has gone are lost: they must not be confirmed.
      await this.#checkLinks();
    } finally {
      this.#isWriting = false;
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    await this.#headFile.close();
    await this.#lock?.release();
    this.#file = this.#lock = undefined;
  }

  /** @throws where the name of a file has gone or leads elsewhere, or lines are missing; the next write opens the files again */
  async #checkLinks(): Promise<void> {
    const file = this.#file;
    await this.#headFile.checkLink();
    if (file !== undefined && (!(await file.isLinked()) || (await file.size()) < this.#headFile.head.bytes)) {
      this.#file = undefined;
      await file.close();
      throw new Error('the file was removed, replaced or cut');
    }
  }

  async #append(texts: readonly string[]): Promise<void> {
    const file = this.#file!;
    const { bytes, begins } = this.#headFile.head;
    let { seq, hash } = this.#headFile.head;
    const rest = (await file.size()) - bytes;
    // Bytes of a failed write of this process need no record.
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
    await this.#headFile.confirm({ seq, hash, begins, bytes: bytes + buffer.length });
    this.#hasRest = false;
  }

  /** Rotates the file. After a crash or a failure in the middle of it, `#openFile()` finds the file gone or empty, and continues. */
  async #rotate(): Promise<void> {
    const { path } = this.options;
    const aside = rotatedName(path, this.#headFile.head.begins);
    if ((await statOf(aside)) !== undefined) throw new Error(`${aside} is there already`);
    await this.#file?.close();
    this.#file = undefined;
    await rename(path, aside);
    await syncDirectory(path);
    await this.#beginFile();
  }

  async #beginFile(): Promise<void> {
    this.#file ??= await LinkedFile.open(this.options.path);
    await syncDirectory(this.options.path);
    const { seq, hash } = this.#headFile.head;
    await this.#headFile.confirm({ seq, hash, begins: seq + 1, bytes: 0 });
    this.#hasRest = false;
  }

  async #readHead(): Promise<void> {
    const { path, log } = this.options;
    const size = await checkFile(path);
    const problem = await this.#headFile.open();
    if (problem === undefined) return;
    if (problem !== 'missing') throw brokenChain(path, problem);
    if (size > 0) throw brokenChain(path, 'has lines, and no head beside it');
    await this.#headFile.create();
    log.log(logLine`The audit file "${path}" begins a new chain.`);
  }

  /** Opens the file at its confirmed end: at start-up, and after it had to be closed. */
  async #openFile(): Promise<void> {
    if (this.#file !== undefined) return;
    const { path, log } = this.options;
    const { seq, begins, bytes } = this.#headFile.head;
    const size = await checkFile(path);
    if (size < bytes && size > 0) throw brokenChain(path, `ends before its line ${seq}`);
    if (size > 0) return this.#continueFile(size);
    // An interrupted rotation, or a program that uses the same names, has set the file aside: nothing is missing.
    const isLost = bytes > 0 && !(await holdsAt(rotatedName(path, begins), ...endOf(this.#headFile.head)));
    await this.#beginFile();
    if (!isLost) return;
    log.error(
      logLine`The audit file "${path}" has lost its lines ${begins} to ${seq}: it was removed, moved away or emptied. The chain continues after them.`,
    );
    await this.#append([this.#record('reopened', seq - begins + 1)]);
  }

  /** Confirms the whole lines that the previous process wrote without confirming them, and cuts the rest off. */
  async #continueFile(size: number): Promise<void> {
    const { path } = this.options;
    const confirmed = this.#headFile.head;
    if (size - confirmed.bytes > MAX_UNCONFIRMED_BYTES)
      throw brokenChain(path, 'has more than one write behind its head');
    if (confirmed.bytes > 0 && !(await holdsAt(path, ...endOf(confirmed))))
      throw brokenChain(path, `has another line ${confirmed.seq} than its head says`);
    const file = (this.#file = await LinkedFile.open(path));
    const rest = await file.read(confirmed.bytes, size - confirmed.bytes);
    const { seq, hash, bytes: whole } = readContinuation(this.#sealer, rest, confirmed);
    const torn = rest.length - whole;
    if (torn > 0) await file.truncate(confirmed.bytes + whole);
    await file.datasync();
    await this.#headFile.confirm({ seq, hash, begins: confirmed.begins, bytes: confirmed.bytes + whole });
    this.#hasRest = false;
    if (torn > 0) await this.#append([this.#record('recovered', torn)]);
  }

  #record(event: AuditRecord['event'], count: number): string {
    return createLine({ event, count }, this.options.now()).text;
  }
}

/** Where the last confirmed line ends, and with what. */
function endOf({ hash, bytes }: ChainHead): [position: number, text: string] {
  const text = `"hash":"${hash}"}\n`;
  return [bytes - text.length, text];
}

/** The name of a file that rotation has set aside. @param begins the number of its first line */
const rotatedName = (path: string, begins: number): string => `${path}.${String(begins).padStart(12, '0')}`;

const fileError = (path: string, problem: string, remedy: string): AgentSecurityConfigError =>
  new AgentSecurityConfigError('ASEC_AUDIT_FILE', `audit.file "${path}"`, problem, remedy, path);

const brokenChain = (path: string, problem: string): AgentSecurityConfigError =>
  fileError(
    path,
    problem,
    'Check it with "npx nestjs-agent-security audit verify"; to begin a new chain, move it and its head away.',
  );

/** The error of a file that could not be opened, with its remedy. */
function toFileError(path: string, error: Error): AgentSecurityConfigError {
  const { message } = error;
  if (error instanceof AgentSecurityConfigError) return error;
  if (error instanceof FileLockedError) {
    const remedy = error.isOwn
      ? 'Another app or module of this process writes it: give each its own file, or close the other first.'
      : 'Give each process its own file.';
    return fileError(path, message, remedy);
  }
  const [problem, remedy] =
    error instanceof UntrustedFileError
      ? [`is rejected: ${message}`, 'Remove it, or give it to the user of this process with mode 600.']
      : [`cannot be opened (${message})`, 'Create its directory, and let this process write there.'];
  return fileError(path, problem, remedy);
}
