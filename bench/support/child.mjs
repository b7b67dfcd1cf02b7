/* Child processes that keep to one core. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { BENCH } from './prepare.mjs';

const hasCommand = name => spawnSync('which', [name], { stdio: 'ignore' }).status === 0;

export const CAN_PIN = availableParallelism() > 1 && hasCommand('taskset');
export const HAS_WRK = hasCommand('wrk');

export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/** The command line that runs `command` on one core, where the machine can. */
export function pinned(core, command, args) {
  return CAN_PIN ? ['taskset', ['-c', String(core), command, ...args]] : [command, args];
}

/** A Node process with a channel; `next()` is its next message. */
export function startNode(core, script, settings, flags = []) {
  const child = spawn(
    ...pinned(core, process.execPath, [
      ...flags,
      new URL(script, import.meta.url).pathname,
      JSON.stringify(settings),
    ]),
    { cwd: BENCH, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  return {
    async next() {
      const failure = new AbortController();
      const exited = once(child, 'exit', { signal: failure.signal }).then(([code, signal]) => {
        throw new Error(`${script} ${JSON.stringify(settings)} ended early (${signal ?? code})`);
      });
      exited.catch(() => undefined);
      try {
        const [message] = await Promise.race([once(child, 'message', { signal: failure.signal }), exited]);
        return message;
      } finally {
        failure.abort();
      }
    },
    async request(question) {
      const answer = this.next();
      child.send(question);
      return answer;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}

/** Runs a command to its end and returns what it printed. Complaints are failures: wrk goes on without a script that it cannot read. */
export async function runPinned(core, command, args) {
  const child = spawn(...pinned(core, command, args), { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', text => (output += text));
  child.stderr.setEncoding('utf8').on('data', text => (errors += text));
  const [code] = await once(child, 'close');
  if (code !== 0 || errors !== '') throw new Error(`${command} failed (${code}): ${errors || output}`);
  return output;
}
