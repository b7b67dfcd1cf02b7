/* Whose a file is: of holders that live, that were killed, and that are elsewhere. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { FileLock } from '../../src/common/file-lock.js';
import { scratchFile } from '../audit/support.js';

const SPACE = existsSync('/proc/self/ns/pid') ? readlinkSync('/proc/self/ns/pid') : '';
const held = (parts: object): string =>
  JSON.stringify({ nonce: 'other', pid: 1, host: hostname(), space: SPACE, began: '', ...parts });

it('is one holder’s until it is released', async () => {
  const path = scratchFile();
  const lock = await FileLock.acquire(path);
  await expect(FileLock.acquire(path)).rejects.toThrow(
    `is in use already in this process (PID ${process.pid} on`,
  );
  await lock.release();
  const next = await FileLock.acquire(path);
  expect([await lock.isHeld(), await next.isHeld()]).toEqual([false, true]);
  await next.release();
  expect(existsSync(path)).toBe(false);
});

it('is rejected while its holder lives', async () => {
  const path = scratchFile();
  const child = spawn(process.execPath, ['-e', 'process.send("up"); setInterval(() => 0, 1000)'], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  try {
    await once(child, 'message');
    writeFileSync(path, held({ pid: child.pid }));
    await expect(FileLock.acquire(path)).rejects.toThrow(`PID ${child.pid} on ${hostname()}`);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await (await FileLock.acquire(path)).release();
});

/* A copy of the package has a state of its own, as a worker thread has. */
it('is rejected while another copy of this package in this process holds it, and says so', async () => {
  const path = scratchFile();
  await jest.isolateModulesAsync(async () => {
    const copy = await import('../../src/common/file-lock.js');
    const lock = await copy.FileLock.acquire(path, 200);
    const error: unknown = await FileLock.acquire(path, 200).catch((each: unknown) => each);
    await lock.release();
    expect(error).toMatchObject({ isOwn: true, message: expect.stringContaining('already in this process') });
  });
  await (await FileLock.acquire(path, 200)).release();
});

it('is taken over from an earlier process of the same PID', async () => {
  const path = scratchFile();
  writeFileSync(path, held({ pid: process.pid }));
  const lock = await FileLock.acquire(path);
  expect(await lock.isHeld()).toBe(true);
  await lock.release();
});

it('is taken over without following a link that an attacker has put in its place', async () => {
  const path = scratchFile();
  writeFileSync(path, held({ pid: process.pid }));
  writeFileSync(`${path}.other`, 'kept');
  symlinkSync(`${path}.other`, `${path}.new`);
  await (await FileLock.acquire(path)).release();
  expect(readFileSync(`${path}.other`, 'utf8')).toBe('kept');
});

it('goes to one of many who find its holder gone', async () => {
  const path = scratchFile();
  writeFileSync(path, held({ pid: process.pid }));
  const tries = await Promise.allSettled(Array.from({ length: 20 }, () => FileLock.acquire(path)));
  const winners = tries.filter(({ status }) => status === 'fulfilled');
  expect(winners).toHaveLength(1);
  await (winners[0] as PromiseFulfilledResult<FileLock>).value.release();
});

it.each([
  ['of another machine', held({ host: 'elsewhere' })],
  ['of another PID namespace', held({ space: 'pid:[1]' })],
  ['that names no process', ''],
])('%s is taken over when its heartbeat has stopped', async (_title, text) => {
  const path = scratchFile();
  writeFileSync(path, text);
  const lock = await FileLock.acquire(path, 100);
  expect(await lock.isHeld()).toBe(true);
  await lock.release();
});

it('of another machine is rejected while its heart beats', async () => {
  const path = scratchFile();
  writeFileSync(path, held({ host: 'elsewhere' }));
  let second = 1;
  const beat = setInterval(() => utimesSync(path, ++second, second), 5);
  try {
    await expect(FileLock.acquire(path, 2_000)).rejects.toThrow('on elsewhere');
  } finally {
    clearInterval(beat);
  }
  expect(readFileSync(path, 'utf8')).toContain('elsewhere');
});
