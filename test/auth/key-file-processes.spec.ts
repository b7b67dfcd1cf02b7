/* Several processes change one key file concurrently, after a command was killed that held its lock. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKeyFile } from '../../src/auth/file-key-store.js';

const PROCESSES = 4;
const ROUNDS = 60;

/** The lock of a process that is gone: no PID is as large. */
const LEFT_BEHIND = JSON.stringify({
  nonce: 'left-behind',
  pid: 2 ** 30,
  host: hostname(),
  space: existsSync('/proc/self/ns/pid') ? readlinkSync('/proc/self/ns/pid') : '',
  began: '',
});

test('no change is lost when several processes find an abandoned lock', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  const workers: ChildProcess[] = Array.from({ length: PROCESSES }, () =>
    spawn(process.execPath, [join(__dirname, 'change-key-file.mjs')], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
  );
  try {
    await Promise.all(workers.map(worker => once(worker, 'message')));
    const lost: string[] = [];
    let made = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const path = join(folder, `${round}.json`);
      writeFileSync(`${path}.lock`, LEFT_BEHIND);
      utimesSync(`${path}.lock`, 1, 1);
      const answers = await Promise.all(
        workers.map(async (worker, index) => {
          worker.send({ path, agent: `agent-${index}` });
          const [answer] = await once(worker, 'message');
          return answer as string;
        }),
      );
      const { agents } = await readKeyFile(path);
      for (const [index, answer] of answers.entries()) {
        const isLocked = answer.includes('is being changed by another command');
        if (!isLocked && answer !== 'changed') lost.push(answer);
        if (answer !== 'changed') continue;
        made++;
        if (!Object.hasOwn(agents, `agent-${index}`)) lost.push(`${round}/${index}`);
      }
    }
    expect(lost).toEqual([]);
    // A process that takes a lock over makes its change.
    expect(made).toBeGreaterThanOrEqual(ROUNDS);
    expect(readdirSync(folder).filter(name => !/^\d+\.json$/.test(name))).toEqual([]);
  } finally {
    for (const worker of workers) worker.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
