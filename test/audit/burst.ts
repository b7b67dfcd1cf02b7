/* An app in a process of its own under a burst of calls of impact high, which ends as a test wants it. Needs the built package. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { basename, dirname, join } from 'node:path';
import type { AuditRecord } from '../../src/index.js';
import { KEY } from './support.js';

const ROOT = join(__dirname, '..', '..');
const CALLERS = 16;

export function buildPackage(): void {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-b', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' });
}

/** Answered with this status; 0 where the connection ended. */
function call(agent: Agent, port: number, id: string): Promise<number> {
  return new Promise(resolve => {
    const body = JSON.stringify({ id });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const outgoing = request({ host: '127.0.0.1', port, path: '/run', method: 'POST', agent, headers });
    outgoing.on('response', response => {
      response.resume();
      response.on('error', () => resolve(0));
      response.on('end', () => resolve(response.statusCode!));
    });
    outgoing.on('error', () => resolve(0));
    outgoing.end(body);
  });
}

export interface Burst {
  readonly platform: string;
  readonly file: string;
  /** Begins the IDs of its calls. */
  readonly round: string | number;
  /** The user of the process, where the tests run as root. */
  readonly uid?: number | undefined;
  /** Called after each answer. @returns true when no more calls are to be made */
  onAnswer(status: number, child: ChildProcess, answered: number): boolean;
}

export interface BurstEnd {
  /** The IDs of the calls that were answered with success. */
  readonly answered: readonly string[];
  readonly exit: readonly [code: number | null, signal: string | null];
}

/** Starts the app, and calls without pause until `onAnswer` ends it; the process is to end by then or soon after. */
export async function burst({ platform, file, round, uid, onAnswer }: Burst): Promise<BurstEnd> {
  const child = spawn(
    process.execPath,
    [join(__dirname, 'burst-app.mjs'), JSON.stringify({ platform, file, key: KEY })],
    {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    },
  );
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  // A net under the test: a process that does not end is ended, and the test sees by which signal.
  const net = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const [port] = (await once(child, 'message')) as [number];
  const agent = new Agent({ keepAlive: true });
  const answered: string[] = [];
  let ended = false;
  await Promise.all(
    Array.from({ length: CALLERS }, async (_, caller) => {
      for (let index = 0; !ended; index++) {
        const id = `${round}/${caller}/${index}`;
        const status = await call(agent, port, id);
        if (status === 201) answered.push(id);
        ended ||= child.exitCode !== null || onAnswer(status, child, answered.length);
      }
    }),
  );
  agent.destroy();
  const exit = await exited;
  clearTimeout(net);
  return { answered, exit };
}

/** The records of a file and of those that were set aside from it. */
export function recordsOf(file: string): AuditRecord[] {
  const isPart = (name: string): boolean =>
    name === basename(file) || /^\.\d{12}$/.test(name.slice(basename(file).length));
  return readdirSync(dirname(file))
    .filter(isPart)
    .flatMap(name => readFileSync(join(dirname(file), name), 'utf8').split('\n'))
    .flatMap((text): AuditRecord[] => {
      try {
        return [JSON.parse(text) as AuditRecord];
      } catch {
        return [];
      }
    });
}

/** The IDs of the calls whose start is recorded. */
export function startedIds(records: readonly AuditRecord[]): Set<string | undefined> {
  return new Set(
    records
      .filter(({ event }) => event === 'started')
      .map(({ params }) => (params as { body?: { id?: string } }).body?.id),
  );
}

/** The calls that have more than one record of an event. */
export function repeatedCalls(records: readonly AuditRecord[], event: AuditRecord['event']): string[] {
  const calls = records.filter(record => record.event === event).map(({ call: id }) => id!);
  return calls.filter((id, index) => calls.indexOf(id) !== index);
}
