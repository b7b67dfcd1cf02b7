/* Keys of a JSON file, which may change while the app runs: the command `keys` replaces it as a whole, and every process that
 * watches it follows within a second. */
import { randomBytes } from 'node:crypto';
import { type FSWatcher, type Stats, watch } from 'node:fs';
import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { KeyStoreHooks } from '../identity/api-key-store.js';
import { EMPTY_BOOK, type KeyBook, KeyBookError, parseKeyBook } from './key-book.js';
import { KeyBookStore, MAX_STALE_MS } from './key-book-store.js';
import { FileLock, FileLockedError } from '../common/file-lock.js';
import { readObject } from '../common/read-options.js';
import { logLine } from '../common/log-text.js';

/** A change is followed within this time, also where the system's notices of changes do not come (network file systems). */
export const FILE_POLL_MS = 1_000;

export interface FileKeyStoreOptions {
  /** How often the file is looked at, beside the system's own notices. @default 1000 */
  pollMs?: number;
  /** Milliseconds that never go back. Tests replace it. @default performance.now */
  nowMs?: () => number;
}

export class FileKeyStore extends KeyBookStore {
  readonly #pollMs: number;
  #content: Buffer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
  #loading: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #reported = '';

  constructor(
    readonly path: string,
    options: FileKeyStoreOptions = {},
  ) {
    readObject('FileKeyStore', options, ['pollMs', 'nowMs']);
    super(EMPTY_BOOK, { maxStaleMs: MAX_STALE_MS, nowMs: options.nowMs ?? (() => performance.now()) });
    this.#pollMs = options.pollMs ?? FILE_POLL_MS;
  }

  /** @throws KeyBookError for a file that is missing or no book: an app must not start without its keys */
  override async open(hooks: KeyStoreHooks): Promise<void> {
    await super.open(hooks);
    await this.#load();
    this.#timer = setInterval(() => {
      this.warnIfStale();
      void this.refresh();
    }, this.#pollMs).unref();
    try {
      // The folder, since a file that is replaced takes its watcher with it.
      const name = basename(this.path);
      this.#watcher = watch(dirname(this.path), { persistent: false }, (_event, changed) => {
        if (changed === null || changed === name) void this.refresh();
      });
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // Polling alone keeps the promise.
    }
  }

  override close(): void {
    void super.close();
    clearInterval(this.#timer);
    this.#watcher?.close();
  }

  /**
   * Follows the file if it has changed. A broken or missing file leaves the last good keys in force for a minute, and is logged; beyond
   * it no key can be verified (503).
   */
  refresh(): Promise<void> {
    // One waits for the one under way, however many ask: a file system that hangs must not make a queue of them.
    this.#next ??= this.#loading.then(() => {
      this.#next = undefined;
      return this.#follow();
    });
    return (this.#loading = this.#next);
  }

  async #follow(): Promise<void> {
    try {
      await this.#load();
      this.#reported = '';
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== this.#reported) {
        this.warn(
          logLine`The API keys of ${this.path} cannot be followed: the file ${message}. They count for ${MAX_STALE_MS / 1_000} s from the last good reading.`,
        );
      }
      this.#reported = message;
      this.warnIfStale();
    }
  }

  async #load(): Promise<void> {
    const content = await readContent(this.path);
    // Size and times would not do: two changes within one step of the file system's clock can leave both equal.
    if (!this.#content?.equals(content)) {
      this.replace(parseKeyBook(content.toString('utf8')));
      this.#content = content;
    }
    this.markFresh();
  }
}

async function readContent(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw cannotRead(error);
  }
}

function cannotRead(error: unknown): KeyBookError {
  return new KeyBookError(`cannot be read (${codeOf(error)})`);
}

/* ---- changes ---- */

/**
 * Changes the book of a file. A reader sees the old one or the new one and nothing between; two who change it at once are told so.
 * Owner, group and mode of the file stay what they are, whoever runs the command: else the service could no longer read it, and a key
 * that was revoked would stay valid. A new file is readable for its owner only. A symbolic link stays, and its target is replaced.
 * @throws KeyBookError if the file cannot be changed; the old one is in place then
 */
export async function changeKeyFile<T extends { readonly book: KeyBook }>(
  path: string,
  change: (book: KeyBook) => T,
): Promise<T> {
  const target = await realpath(path).catch(() => path);
  const lock = await takeLock(`${target}.lock`);
  const draft = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const old = await stat(target).catch(() => undefined);
    const changed = change(await readKeyFile(target));
    await writeDraft(draft, changed.book, old);
    await rename(draft, target).catch((error: unknown) => {
      throw cannotWrite(error);
    });
    return changed;
  } finally {
    await rm(draft, { force: true });
    await lock.release();
  }
}

async function writeDraft(draft: string, book: KeyBook, old: Stats | undefined): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(draft, 'wx', 0o600);
  } catch (error) {
    throw cannotWrite(error);
  }
  try {
    await file.writeFile(`${JSON.stringify(book, null, 2)}\n`);
    if (old !== undefined) await keepAccess(file, old);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Gives a draft the owner, the group and the mode of the file that it replaces. */
async function keepAccess(file: FileHandle, { uid, gid, mode }: Stats): Promise<void> {
  try {
    const own = await file.stat();
    if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid);
    // After the owner: a change of owner takes bits of the mode away.
    await file.chmod(mode & 0o7777);
  } catch (error) {
    throw new KeyBookError(
      `cannot be replaced with its owner, group and mode (${codeOf(error)}): run the command as its owner or as root`,
    );
  }
}

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code);

const cannotWrite = (error: unknown): KeyBookError =>
  new KeyBookError(`cannot be written (${codeOf(error)})`);

/** The book of a file; an empty one where there is no file yet. */
export async function readKeyFile(path: string): Promise<KeyBook> {
  try {
    return parseKeyBook(await readFile(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY_BOOK;
    throw error instanceof KeyBookError ? error : cannotRead(error);
  }
}

async function takeLock(path: string): Promise<FileLock> {
  try {
    return await FileLock.acquire(path);
  } catch (error) {
    if (error instanceof FileLockedError)
      throw new KeyBookError(`is being changed by another command (${path} ${error.message})`);
    throw cannotWrite(error);
  }
}
