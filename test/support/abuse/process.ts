/* The app under abuse as its parent sees it: a process that answers questions. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { addKey, EMPTY_BOOK } from '../../../src/index.js';
import { digests, SECRET } from '../keys.js';
import { abuseOnce, type AbuseTarget, type Random } from './client.js';

const ROOT = join(__dirname, '..', '..', '..');

export interface Activity {
  readonly running: number;
  readonly streams: number;
  readonly connections: number;
}

export interface Result {
  /** Tool calls that ran since the last result. */
  readonly calls: number;
  /** Calls whose run and audit records disagree. */
  readonly found: readonly string[];
  /** What went wrong in the process itself. */
  readonly faults: readonly string[];
  readonly heapBytes: number;
}

const { book, key } = addKey(EMPTY_BOOK, 'bot', { scopes: [] }, digests, {
  prefix: 'ask',
  nowMs: Date.now(),
});
export const KEY = key;

/** Builds the package that the process runs on. */
export function build(): void {
  execFileSync(
    process.execPath,
    [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', 'tsconfig.build.json'],
    { cwd: ROOT, stdio: 'inherit' },
  );
}

export class AbusedApp {
  private constructor(
    readonly child: ChildProcess,
    readonly port: number,
    /** How many calls of `/slow` may run at once. */
    readonly concurrency: number,
  ) {}

  static async start(platform: string, redisUrl?: string): Promise<AbusedApp> {
    const child = spawn(
      process.execPath,
      [
        '--expose-gc',
        join(__dirname, 'app.mjs'),
        JSON.stringify({ platform, book, secret: SECRET, ...(redisUrl === undefined ? {} : { redisUrl }) }),
      ],
      { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    );
    const [{ port, concurrency }] = (await once(child, 'message')) as [{ port: number; concurrency: number }];
    return new AbusedApp(child, port, concurrency);
  }

  get target(): AbuseTarget {
    return { port: this.port, key };
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async request<T>(message: string): Promise<T> {
    this.child.send(message);
    const [answer] = (await once(this.child, 'message')) as [T];
    return answer;
  }

  /** Waits, with a bound, until the app has nothing under way. */
  async settle(): Promise<Activity> {
    for (let attempt = 0; ; attempt++) {
      const activity = await this.request<Activity>('activity');
      const { running, streams, connections } = activity;
      if (running + streams + connections === 0 || attempt === 200) return activity;
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }
}

/** Sends hostile connections, `sockets` at once, until `count` requests have been written or `isOver` says so. */
export async function attack(
  target: AbuseTarget,
  random: Random,
  count: number,
  isOver: () => boolean = () => false,
  sockets = 48,
): Promise<void> {
  let sent = 0;
  await Promise.all(
    Array.from({ length: sockets }, async () => {
      while (sent < count && !isOver()) {
        const written = await abuseOnce(target, random);
        sent += written;
      }
    }),
  );
}
