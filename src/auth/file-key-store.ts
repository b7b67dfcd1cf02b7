/* Keys of a JSON file, which may change while the app runs: the command `keys` replaces it as a whole, and every process that
 * watches it follows within a second. */
import { randomBytes } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { KeyStoreHooks } from './api-key-store.js';
import { EMPTY_BOOK, type KeyBook, KeyBookError, parseKeyBook } from './key-book.js';
import { KeyBookStore } from './key-book-store.js';
import { logLine } from '../common/log-text.js';

/** A change is followed within this time, also where the system's notices of changes do not come (network file systems). */
export const FILE_POLL_MS = 1_000;

export interface FileKeyStoreOptions {
  /** How often the file is looked at, beside the system's own notices. @default 1000 */
  pollMs?: number;
}

export class FileKeyStore extends KeyBookStore {
  readonly #pollMs: number;
  #stamp = '';
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
  #loading: Promise<void> = Promise.resolve();
  #reported = '';

  constructor(
    readonly path: string,
    { pollMs = FILE_POLL_MS }: FileKeyStoreOptions = {},
  ) {
    super(EMPTY_BOOK);
    this.#pollMs = pollMs;
  }

  /** @throws KeyBookError for a file that is missing or no book: an app must not start without its keys */
  override async open(hooks: KeyStoreHooks): Promise<void> {
    await super.open(hooks);
    await this.#load();
    this.#timer = setInterval(() => void this.refresh(), this.#pollMs).unref();
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

  /** Follows the file if it has changed. A broken or missing file leaves the last good keys in force, and is logged once. */
  refresh(): Promise<void> {
    this.#loading = this.#follow(this.#loading);
    return this.#loading;
  }

  async #follow(earlier: Promise<void>): Promise<void> {
    await earlier;
    try {
      await this.#load();
      this.#reported = '';
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message === this.#reported) return;
      this.#reported = message;
      this.warn(logLine`The API keys of ${this.path} stay as they were: the file ${message}.`);
    }
  }

  async #load(): Promise<void> {
    const stamp = await stampOf(this.path);
    if (stamp === this.#stamp) return;
    this.replace(parseKeyBook(await readText(this.path)));
    this.#stamp = stamp;
  }
}

/** Replaced files have another inode, so that a change within the clock's step is seen as well. */
async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path);
    return [ino, size, mtimeMs, ctimeMs].join(' ');
  } catch (error) {
    throw cannotRead(error);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw cannotRead(error);
  }
}

function cannotRead(error: unknown): KeyBookError {
  return new KeyBookError(`cannot be read (${String((error as NodeJS.ErrnoException).code)})`);
}

/* ---- changes ---- */

const LOCK_STALE_MS = 30_000;

/**
 * Changes the book of a file. A reader sees the old one or the new one and nothing between; two who change it at once are told so.
 * The file is readable for its owner only.
 */
export async function changeKeyFile<T extends { readonly book: KeyBook }>(
  path: string,
  change: (book: KeyBook) => T,
): Promise<T> {
  const lock = `${path}.lock`;
  await takeLock(lock);
  try {
    const changed = change(await readKeyFile(path));
    const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(changed.book, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    return changed;
  } finally {
    await rm(lock, { force: true });
  }
}

/** The book of a file; an empty one where there is no file yet. */
export async function readKeyFile(path: string): Promise<KeyBook> {
  try {
    return parseKeyBook(await readFile(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY_BOOK;
    throw error instanceof KeyBookError ? error : cannotRead(error);
  }
}

async function takeLock(lock: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await (await open(lock, 'wx', 0o600)).close();
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST') throw new KeyBookError(`cannot be written (${String(code)})`);
      const age = await stat(lock).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      // Left behind by a command that was killed.
      if (attempt === 0 && age > LOCK_STALE_MS) await rm(lock, { force: true });
      else throw new KeyBookError('is being changed by another command (its .lock file is there)');
    }
  }
}
