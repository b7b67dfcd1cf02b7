/* Redis servers of the tests' own, on free loopback ports, without persistence, stopped behind the file that started them. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';

const run = promisify(execFile);

const PROGRAMS = ['redis-server', 'valkey-server'] as const;
type Program = (typeof PROGRAMS)[number];

const isInstalled = (name: Program): boolean =>
  spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0;

const program = PROGRAMS.find(isInstalled);

/**
 * `describe` where a Redis server is installed. Elsewhere the suite is skipped, which the report shows; with REQUIRE_ALL_SUITES it
 * fails.
 */
export const describeWithRedis: jest.Describe = (() => {
  if (program !== undefined) return describe;
  if (process.env['REQUIRE_ALL_SUITES']) {
    throw new Error('REQUIRE_ALL_SUITES is set and neither redis-server nor valkey-server is installed');
  }
  process.stderr.write('Skipped: neither redis-server nor valkey-server is installed\n');
  return describe.skip;
})();

/**
 * `describe` once with Redis and once with Valkey. A server that is not installed skips its suite, which the report and the log show. With
 * REQUIRE_ALL_SUITES a missing Redis fails; Valkey is not a package of every distribution.
 */
export function describeWithEachServer(title: string, body: (name: Program) => void): void {
  for (const name of PROGRAMS) {
    const isPresent = isInstalled(name);
    if (!isPresent && name === 'redis-server' && process.env['REQUIRE_ALL_SUITES'])
      throw new Error(`REQUIRE_ALL_SUITES is set and ${name} is not installed`);
    if (!isPresent) process.stderr.write(`Skipped: ${name} is not installed\n`);
    (isPresent ? describe : describe.skip)(`${title} (${name})`, () => body(name));
  }
}

export class RedisServer {
  readonly url: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'redis-'));
  #process: ChildProcess | undefined;

  constructor(
    readonly port: number,
    private readonly flags: readonly string[],
    private readonly name: Program = program!,
  ) {
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** Starts it, empty. */
  async start(): Promise<void> {
    const child = spawn(this.name, this.#arguments(), { stdio: 'ignore' });
    this.#process = child;
    for (let tries = 0; ; tries++) {
      if (child.exitCode !== null || tries > 400)
        throw new Error(`redis-server did not start on ${this.port}`);
      if (await answers(this.port)) return;
      await pause(25);
    }
  }

  #arguments(): readonly string[] {
    if (this.flags.includes('--sentinel')) {
      // A Sentinel writes what it learns to its configuration.
      const file = join(this.#directory, 'sentinel.conf');
      writeFileSync(file, `port ${this.port}\nbind 127.0.0.1\ndir ${this.#directory}\n`);
      return [file, '--sentinel'];
    }
    const own = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#directory];
    const memory = ['--save', '', '--appendonly', 'no', '--enable-debug-command', 'local'];
    return [...own, ...memory, ...this.flags];
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await exited;
  }

  /** Leaves its connections open and answers nothing. */
  pause(): void {
    this.#process!.kill('SIGSTOP');
  }

  resume(): void {
    this.#process!.kill('SIGCONT');
  }

  /** A command through redis-cli; its answer as text. */
  async command(...parts: string[]): Promise<string> {
    const { stdout } = await run('redis-cli', ['-h', '127.0.0.1', '-p', String(this.port), ...parts]);
    return stdout.trimEnd();
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

const servers: RedisServer[] = [];
const clients: (() => unknown)[] = [];

/** Closes a client before the servers. */
export function closeAfterAll(close: () => unknown): void {
  clients.push(close);
}

afterAll(async () => {
  for (const close of clients.splice(0)) await close();
  await Promise.all(servers.splice(0).map(server => server.dispose()));
});

/** A server that is stopped behind the file. */
export const startRedis = (...flags: string[]): Promise<RedisServer> => startServer(program!, ...flags);

export async function startServer(name: Program, ...flags: string[]): Promise<RedisServer> {
  const server = new RedisServer(await freePort(), flags, name);
  servers.push(server);
  await server.start();
  return server;
}

/** A Sentinel that knows a master by the name `main`. */
export async function startSentinel(master: RedisServer): Promise<RedisServer> {
  const sentinel = await startRedis('--sentinel');
  await sentinel.command('SENTINEL', 'MONITOR', 'main', '127.0.0.1', String(master.port), '1');
  return sentinel;
}

/** Three masters that share the slots. */
export async function startCluster(): Promise<readonly RedisServer[]> {
  const nodes: RedisServer[] = [];
  for (let node = 0; node < 3; node++) {
    const bus = await freePort();
    nodes.push(
      await startRedis(
        '--cluster-enabled',
        'yes',
        '--cluster-port',
        String(bus),
        '--cluster-node-timeout',
        '2000',
      ),
    );
  }
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes']);
  for (const node of nodes) {
    await until(async () => (await node.command('cluster', 'info')).includes('cluster_state:ok'));
  }
  return nodes;
}

export interface Line {
  readonly port: number;
  /** How much later everything arrives. */
  delayMs: number;
}

/** A way to a server that can be made slow. */
export async function startLine(serverPort: number): Promise<Line> {
  const sockets = new Set<Socket>();
  const settings = { delayMs: 0 };
  const carry = (from: Socket, to: Socket): void => {
    sockets.add(from);
    // In order, also where the delay shrinks: bytes that overtake others would be another answer's.
    let last = Promise.resolve();
    from.on('data', data => {
      const due = pause(settings.delayMs);
      last = last.then(() => due).then(() => void to.write(data));
    });
    from.on('close', () => to.destroy());
    from.on('error', () => to.destroy());
  };
  const server = createServer(near => {
    const far = connect(serverPort, '127.0.0.1');
    carry(near, far);
    carry(far, near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeAfterAll(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return Object.assign(settings, { port: (server.address() as AddressInfo).port });
}

/** Waits for what another process does; time in a real server cannot be injected. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > endMs)
      throw new Error(`Not reached within ${withinMs} ms: ${condition.toString()}`);
    await pause(20);
  }
}

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

async function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    const finish = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', data => finish(data.toString().startsWith('+PONG')));
    socket.on('error', () => finish(false));
  });
}
