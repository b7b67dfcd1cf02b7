/* The deployment of docs/guides/full-deployment.md on this machine: nginx, two replicas and Redis, each a process of its own. */
import { type ChildProcess, execFileSync, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { transformFileSync } from '@swc/core';
import { addKey, EMPTY_BOOK, type KeyBook, KeyDigests } from '../../src/index.js';
import { freePort } from '../support/free-port.js';
import type { PlatformName } from '../support/platforms.js';
import { closeAfterAll, type RedisServer, startRedis, until } from '../support/redis.js';
import { selfSigned } from '../support/self-signed.js';

const ROOT = resolve(__dirname, '../..');
const GUIDE = readFileSync(join(ROOT, 'docs/guides/full-deployment.md'), 'utf8');
const block = (title: string): string => GUIDE.split(`title=${title}\n`)[1]!.split('```')[0]!;

export const HOST = 'api.example.com';
export const PASSPORT_TOKEN = 'a-token-of-the-users-own-login';

const isInstalled = spawnSync('nginx', ['-v'], { stdio: 'ignore' }).status === 0;
if (!isInstalled) {
  if (process.env['REQUIRE_ALL_SUITES'])
    throw new Error('REQUIRE_ALL_SUITES is set and nginx is not installed');
  process.stderr.write('Skipped: nginx is not installed\n');
}
export const isNginxInstalled = isInstalled;

export const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Page</title><link rel="stylesheet" href="page.css"><script src="page.js" defer></script></head>
<body><form method="post" action="/forms"><input name="name" value="Ada"><button>Send</button></form></body>
</html>
`;

export interface Replica {
  readonly port: number;
  readonly process: ChildProcess;
  /** What its error reporter got. */
  readonly reported: string[];
  /** What it wrote to its log. */
  log: string;
}

export interface Deployment {
  /** Of nginx. */
  readonly port: number;
  readonly redis: RedisServer;
  readonly replicas: Replica[];
  /** Keys of agents, by their names. */
  readonly keys: Readonly<Record<'reader' | 'admin', string>>;
  startReplica(index: number): Promise<void>;
  /** Ends a replica at once, as a crash would. */
  killReplica(index: number): Promise<void>;
  close(): Promise<void>;
}

/** The package, and the replica beside its spec: what the package's name resolves to is found from there. */
export function build(): void {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '-b', 'tsconfig.build.json'], { cwd: ROOT });
  const { code } = transformFileSync(join(__dirname, 'replica.ts'), {
    swcrc: false,
    sourceMaps: 'inline',
    jsc: {
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      target: 'es2023',
      keepClassNames: true,
    },
    module: { type: 'nodenext' },
  });
  mkdirSync(join(__dirname, 'dist'), { recursive: true });
  writeFileSync(join(__dirname, 'dist/replica.js'), code);
}

export async function deploy(platform: PlatformName): Promise<Deployment> {
  const folder = mkdtempSync(join(tmpdir(), 'deployment-'));
  const redis = await startRedis();
  const ports = [await freePort(), await freePort()];
  const secret = 'a secret of the deployment that is long enough';
  const { keys, book } = createKeys(secret);
  writeFileSync(join(folder, 'keys.json'), JSON.stringify(book));
  mkdirSync(join(folder, 'static'));
  writeFileSync(join(folder, 'static/index.html'), PAGE);
  writeFileSync(join(folder, 'static/page.css'), 'body { color: black }\n');
  writeFileSync(join(folder, 'static/page.js'), 'document.title = "Ready";\n');
  const replicas: Replica[] = [];
  const startReplica = async (index: number): Promise<void> => {
    replicas[index] = await launchReplica(ports[index]!, {
      ...parseEnv(block('.env')),
      // Every process of this machine connects from 127.0.0.0/8; nginx connects from the first address, the clients from others.
      TRUST_PROXY: '127.0.0.1',
      REDIS_URL: redis.url,
      AUTH_KEYS_FILE: join(folder, 'keys.json'),
      AUTH_KEY_SECRET: secret,
      PASSPORT_TOKEN,
      PLATFORM: platform,
      REPLICA: String(index),
      STATIC_FILES: join(folder, 'static'),
    });
  };
  const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  const [nginx] = await Promise.all([launchNginx(folder, ports), startReplica(0), startReplica(1)]);
  return {
    port: nginx.port,
    redis,
    replicas,
    keys,
    startReplica,
    killReplica: index => end(replicas[index]!.process, 'SIGKILL'),
    close: async () => {
      await Promise.all([nginx.process, ...replicas.map(one => one.process)].map(one => end(one, 'SIGTERM')));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function createKeys(secret: string): { keys: Deployment['keys']; book: KeyBook } {
  const digests = new KeyDigests([secret]);
  const options = { prefix: 'ask', nowMs: Date.now() };
  const reader = addKey(EMPTY_BOOK, 'reader', { scopes: ['data:read'] }, digests, options);
  const scopes = ['data:read', 'users:delete'];
  const admin = addKey(reader.book, 'admin', { scopes }, digests, options);
  return { keys: { reader: reader.key, admin: admin.key }, book: admin.book };
}

async function launchReplica(port: number, env: NodeJS.ProcessEnv): Promise<Replica> {
  const child = fork(join(__dirname, 'dist/replica.js'), {
    env: { PATH: process.env['PATH'], NO_COLOR: '1', PORT: String(port), ...env },
    execArgv: ['--enable-source-maps'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  closeAfterAll(() => child.kill('SIGKILL'));
  const replica: Replica = { port, process: child, reported: [], log: '' };
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', text => void (replica.log += text));
  const isUp = new Promise<void>((resolve, reject) => {
    child.on('message', (message: { listening?: true; reported?: string }) => {
      if (message.listening) resolve();
      if (message.reported !== undefined) replica.reported.push(message.reported);
    });
    child.once('exit', () => reject(new Error(`The replica ended:\n${replica.log}`)));
  });
  await isUp;
  return replica;
}

/** nginx with the guide's configuration; only the addresses and the files are of this machine. */
async function launchNginx(
  folder: string,
  ports: readonly number[],
): Promise<{ port: number; process: ChildProcess }> {
  const port = await freePort();
  const { key, cert } = selfSigned();
  writeFileSync(join(folder, 'key.pem'), key);
  writeFileSync(join(folder, 'cert.pem'), cert);
  const replaced: [from: string, to: string][] = [
    ['listen 443 ', `listen 127.0.0.1:${port} `],
    ['10.0.0.11:3000', `127.0.0.1:${ports[0]}`],
    ['10.0.0.12:3000', `127.0.0.1:${ports[1]}`],
    ['/etc/nginx/tls', folder],
  ];
  let site = block('nginx.conf');
  for (const [from, to] of replaced) {
    if (!site.includes(from)) throw new Error(`The guide's nginx.conf has no "${from}"`);
    site = site.replaceAll(from, to);
  }
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    name => `${name}_temp_path ${folder}/${name};`,
  );
  const log = join(folder, 'error.log');
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${log};
events {}
http {
access_log off;
${paths.join(' ')}
${site}}
`,
  );
  const child = spawn('nginx', ['-p', folder, '-e', log, '-c', join(folder, 'nginx.conf')], {
    stdio: 'ignore',
  });
  closeAfterAll(() => child.kill('SIGKILL'));
  await until(() => {
    if (child.exitCode !== null) throw new Error(readFileSync(log, 'utf8'));
    return accepts(port);
  });
  return { port, process: child };
}

const accepts = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });
