/* A lock file, so that one process at a time writes a file. Whether the holder is alive is known from its process on the same machine, and
 * from a heartbeat on another. */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';

/** A holder on another machine is gone after this time without a heartbeat. */
const LEASE_MS = 10_000;

interface Holder {
  readonly nonce: string;
  readonly pid: number;
  readonly host: string;
  /** The PID namespace, since containers may share a host name; `''` if there is none. */
  readonly space: string;
  /** The start time of the process in kernel ticks, since PIDs are reused; `''` if unknown. */
  readonly began: string;
}

/** The nonces of the locks that this process holds. */
const HELD = new Set<string>();

export class FileLockedError extends Error {
  override readonly name = 'FileLockedError';

  constructor(
    message: string,
    /** Whether this process itself holds the lock, for another app or another sink of it. */
    readonly isOwn: boolean,
  ) {
    super(message);
  }
}

export class FileLock {
  #heartbeat: NodeJS.Timeout;

  private constructor(
    private readonly path: string,
    private readonly nonce: string,
    leaseMs: number,
  ) {
    const beat = (): void => void utimes(path, new Date(), new Date()).catch(() => undefined);
    this.#heartbeat = setInterval(beat, leaseMs / 5).unref();
  }

  /** @throws FileLockedError if another process, or something else in this one, holds the lock */
  static async acquire(path: string, leaseMs = LEASE_MS): Promise<FileLock> {
    const holder: Holder = {
      nonce: randomUUID(),
      pid: process.pid,
      host: hostname(),
      space: pidNamespace(),
      began: startOf(process.pid),
    };
    // Before the file exists: a concurrent call would take an unknown nonce of this PID for that of an earlier process.
    HELD.add(holder.nonce);
    try {
      await take(path, JSON.stringify(holder), leaseMs);
    } catch (error) {
      HELD.delete(holder.nonce);
      throw error;
    }
    return new FileLock(path, holder.nonce, leaseMs);
  }

  /** Whether the lock is still held: a process that was suspended may have lost it. */
  async isHeld(): Promise<boolean> {
    const text = await readFile(this.path, 'utf8').catch(() => '');
    return readHolder(text)?.nonce === this.nonce;
  }

  async release(): Promise<void> {
    clearInterval(this.#heartbeat);
    if (await this.isHeld()) await rm(this.path, { force: true });
    HELD.delete(this.nonce);
  }
}

async function take(path: string, text: string, leaseMs: number): Promise<void> {
  for (;;) {
    if (await create(path, text)) return;
    const seen = await readFile(path, 'utf8').catch(() => undefined);
    if (seen === undefined) continue;
    if (!(await isGone(path, seen, leaseMs))) throw lockedError(seen);
    if (await takeOver(path, seen, text, leaseMs)) return;
  }
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function isGone(path: string, seen: string, leaseMs: number): Promise<boolean> {
  const holder = readHolder(seen);
  if (holder !== undefined && HELD.has(holder.nonce)) return false;
  if (holder !== undefined && holder.host === hostname() && holder.space === pidNamespace()) {
    if (holder.pid !== process.pid) return !isAlive(holder);
    // Not in HELD: an earlier process had this PID, or a worker thread or another copy of this package holds the lock.
    return !isThisProcess(holder) || isSilent(path, leaseMs);
  }
  return isSilent(path, leaseMs);
}

function isThisProcess({ nonce, pid, host, space, began }: Holder): boolean {
  if (HELD.has(nonce)) return true;
  const isSamePid = pid === process.pid && host === hostname() && space === pidNamespace();
  return isSamePid && began !== '' && began === startOf(pid);
}

function isAlive({ pid, began }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const now = startOf(pid);
  return began === '' || now === '' || began === now;
}

/** Observes the heartbeat for the whole lease, because the clocks of two machines may differ. */
async function isSilent(path: string, leaseMs: number): Promise<boolean> {
  const timeOf = async (): Promise<number> => (await stat(path).catch(() => undefined))?.mtimeMs ?? -1;
  const first = await timeOf();
  for (let waited = 0; waited < leaseMs; waited += leaseMs / 20) {
    await wait(leaseMs / 20);
    if ((await timeOf()) !== first) return false;
  }
  return true;
}

/**
 * Replaces the lock of a holder that is gone. Concurrent processes are serialized by a second lock, named after this holder, so that none
 * replaces the lock of a later holder. An abandoned second lock is taken over in the same way.
 */
async function takeOver(path: string, seen: string, text: string, leaseMs: number): Promise<boolean> {
  const holder = createHash('sha256').update(seen).digest('hex').slice(0, 16);
  let turn: FileLock;
  try {
    turn = await FileLock.acquire(`${path}.${holder}`, leaseMs);
  } catch (error) {
    if (!(error instanceof FileLockedError)) throw error;
    await wait(20);
    return false;
  }
  try {
    if ((await readFile(path, 'utf8').catch(() => undefined)) !== seen) return false;
    // Created anew: an existing symbolic link could lead to another file.
    await rm(`${path}.new`, { force: true });
    await writeFile(`${path}.new`, text, { flag: 'wx', mode: 0o600 });
    await rename(`${path}.new`, path);
    return true;
  } finally {
    await turn.release();
  }
}

function readHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder>;
    const isWhole =
      typeof holder.nonce === 'string' && Number.isSafeInteger(holder.pid) && typeof holder.host === 'string';
    return isWhole ? (holder as Holder) : undefined;
  } catch {
    return undefined;
  }
}

function lockedError(text: string): FileLockedError {
  const holder = readHolder(text);
  const isOwn = holder !== undefined && isThisProcess(holder);
  const name = holder === undefined ? 'unknown' : `PID ${holder.pid} on ${holder.host}`;
  return new FileLockedError(
    isOwn ? `is in use already in this process (${name})` : `is in use by another process (${name})`,
    isOwn,
  );
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function startOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The program name, in parentheses, may contain any character.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
