/* A key store in a JSON file, and how the command `keys` changes it: it replaces the file as a whole, and every process that watches the
 * file reads the change within a second. */
import { randomBytes } from 'node:crypto';
import { type FSWatcher, type Stats, watch } from 'node:fs';
import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { KeyStoreHooks } from '../identity/api-key-store.js';
import { EMPTY_BOOK, type KeyBook, KeyBookError, parseKeyBook, setAgentDisabled } from './key-book.js';
import { MAX_STALE_MS, RefreshingKeyStore } from './key-book-store.js';
import { FileLock, FileLockedError } from '../common/file-lock.js';
import { fn, integer, type OptionTable, readTable } from '../common/option-table.js';
import { logLine } from '../common/log-text.js';

/**
 * How a `FileKeyStore` looks for changes of its file. Durations are milliseconds.
 * @example
 * const options: FileKeyStoreOptions = { pollMs: 5_000 };
 */
export interface FileKeyStoreOptions {
  /** How often the file is read, in addition to the system's change notifications: 10 to 30,000. @default 1000 */
  pollMs?: number;
  /** A monotonic clock, for tests. @default performance.now */
  nowMs?: () => number;
}

const TABLE = {
  // Polling is for file systems without change notifications. Keys that are not read for MAX_STALE_MS are no longer used.
  pollMs: integer(1_000, 10, MAX_STALE_MS / 2),
  nowMs: fn<() => number>(),
} satisfies OptionTable<FileKeyStoreOptions>;

/**
 * Reads API keys from a JSON file, and reads it again when it changes. `auth.apiKeys.file` creates one;
 * construct it yourself to extend it.
 * @throws AgentSecurityConfigError for a wrong option
 * @example
 * const store = new FileKeyStore('/run/secrets/keys.json', { pollMs: 5_000 });
 * AgentSecurityModule.forRoot({ auth: { apiKeys: { store, secret } } });
 */
export class FileKeyStore extends RefreshingKeyStore {
  #content: Buffer | undefined;
  #watcher: FSWatcher | undefined;

  constructor(
    readonly path: string,
    options: FileKeyStoreOptions = {},
  ) {
    const { pollMs, nowMs } = readTable('FileKeyStore', options, TABLE);
    super({ refreshMs: pollMs, maxStaleMs: MAX_STALE_MS, nowMs });
  }

  /** @throws KeyBookError for a file that is missing or invalid: an app must not start without its keys */
  override async open(hooks: KeyStoreHooks): Promise<void> {
    await this.load();
    await super.open(hooks);
    try {
      // The folder is watched: a watcher of the file ends when the file is replaced.
      const name = basename(this.path);
      this.#watcher = watch(dirname(this.path), { persistent: false }, (_event, changed) => {
        if (changed === null || changed === name) void this.refresh();
      });
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // Polling finds the change as well.
    }
  }

  override close(): void {
    void super.close();
    this.#watcher?.close();
  }

  /** @throws KeyBookError for an agent that is not in the file, and a file that cannot be written */
  async disableAgent(id: string): Promise<void> {
    await changeKeyFile(this.path, book => ({ book: setAgentDisabled(book, id, true) }));
    await this.refresh();
  }

  protected override async load(): Promise<void> {
    const content = await readFile(this.path).catch((error: unknown) => {
      throw cannotRead(error);
    });
    // Sizes and times are not compared: two changes within one step of the file system's clock can leave both equal.
    if (this.#content?.equals(content)) return;
    this.replace(parseKeyBook(content.toString('utf8')));
    this.#content = content;
  }

  protected override describeFailure(error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    return logLine`The API keys cannot be reloaded: ${this.path} ${message}. The last good keys stay valid for ${MAX_STALE_MS / 1_000} s.`;
  }
}

/**
 * Changes the key book of a file atomically: readers see the old book or the new one. A concurrent change is an error. The file keeps its
 * owner, group and mode, whichever user runs the command: otherwise the service could no longer read it, and a revoked key would stay
 * valid. A new file is readable for its owner only. A symbolic link stays, and its target is replaced.
 * @throws KeyBookError if the file cannot be changed; the old file is then in place
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
    // After chown, which clears some bits of the mode.
    await file.chmod(mode & 0o7777);
  } catch (error) {
    throw new KeyBookError(
      `cannot be replaced with its owner, group and mode (${codeOf(error)}): run the command as its owner or as root`,
    );
  }
}

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code);

const cannotRead = (error: unknown): KeyBookError => new KeyBookError(`cannot be read (${codeOf(error)})`);

const cannotWrite = (error: unknown): KeyBookError =>
  new KeyBookError(`cannot be written (${codeOf(error)})`);

/** Reads the key book of a file; an empty book if there is no file. */
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
