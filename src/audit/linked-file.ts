/* An open file and its name. What is written to a file whose name has gone, or leads elsewhere, is lost with the handle: check `isLinked()`
 * before and after a write that must last. */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A file that another user could have prepared, or can write. */
export class UntrustedFileError extends Error {
  override readonly name = 'UntrustedFileError';

  constructor(path: string, reason: string) {
    super(`${path} cannot be trusted: ${reason}`);
  }
}

export class LinkedFile {
  private constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
    private readonly stats: Stats,
  ) {}

  /** Opens a file, or makes it. @throws UntrustedFileError */
  static async open(path: string): Promise<LinkedFile> {
    await checkFile(path);
    // Not through a link: in a directory that others can write, it could lead to a file of their choice.
    const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
    const handle = await open(path, flags, 0o600);
    try {
      // Another process may have made it in between.
      const stats = await handle.stat();
      checkStats(path, stats);
      return new LinkedFile(path, handle, stats);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  /** Whether the name still leads to this file. */
  async isLinked(): Promise<boolean> {
    const stats = await statOf(this.path);
    return stats?.dev === this.stats.dev && stats.ino === this.stats.ino;
  }

  async write(content: Buffer, position: number): Promise<void> {
    for (let at = 0; at < content.length;) {
      const { bytesWritten } = await this.handle.write(content, at, content.length - at, position + at);
      at += bytesWritten;
    }
  }

  async read(position: number, length: number): Promise<Buffer> {
    return readAt(this.handle, position, length);
  }

  truncate(length: number): Promise<void> {
    return this.handle.truncate(length);
  }

  datasync(): Promise<void> {
    return this.handle.datasync();
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** Whether a file holds this text at this place; a file that is not there does not. */
export async function holdsAt(path: string, position: number, text: string): Promise<boolean> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch(() => undefined);
  if (file === undefined) return false;
  try {
    return (await readAt(file, position, text.length)).toString('latin1') === text;
  } finally {
    await file.close();
  }
}

/** The size of a file, 0 where there is none. @throws UntrustedFileError for one that is not this user's alone */
export async function checkFile(path: string): Promise<number> {
  const stats = await statOf(path);
  if (stats === undefined) return 0;
  checkStats(path, stats);
  return stats.size;
}

/** Makes a new name durable, where the system can. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(dirname(path), 'r');
    await directory.sync().finally(() => directory.close());
  } catch {
    // Windows cannot open a directory.
  }
}

export async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function checkStats(path: string, stats: Stats): void {
  if (!stats.isFile()) throw new UntrustedFileError(path, 'it is no regular file');
  // Windows has neither users nor modes of this kind.
  const user = process.geteuid?.();
  if (user === undefined) return;
  if (stats.uid !== user) throw new UntrustedFileError(path, `it is owned by UID ${stats.uid}, not ${user}`);
  if ((stats.mode & 0o022) !== 0) {
    const mode = (stats.mode & 0o777).toString(8);
    throw new UntrustedFileError(path, `its group or others can write it (mode ${mode})`);
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
