/* The containers of the sample as processes of this machine: the files that the image has, its command, its health check, and nginx and Redis
 * with the configuration of the compose file. Only addresses and folders are of this machine. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../support/free-port.js';
import { closeAfterAll, until } from '../support/redis.js';
import {
  commandOf,
  copiesOf,
  environmentOf,
  NGINX,
  readCompose,
  readStages,
  ROOT,
  SAMPLE,
} from './container-files.js';

const IMAGE = readStages().at(-1)!;
const COMPOSE = readCompose();
const temporary = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'container-'));
  closeAfterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

/** /app of the image: what its last stage copies. The package and the sample are built. */
export function createImage(): string {
  const folder = temporary();
  copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  execFileSync(process.execPath, [join(SAMPLE, 'dependencies.mjs')], { cwd: folder });
  for (const { sources, target } of copiesOf(IMAGE)) {
    const path = sources[0]!.replace('/app/', '');
    if (path === 'package.json') continue;
    if (path === 'node_modules') linkProduction(folder);
    else cpSync(join(ROOT, path), join(folder, target), { recursive: true, filter: isOfBuild });
  }
  return folder;
}

/** The image has the bundle, and JavaScript alone of the sample. */
const isOfBuild = (name: string): boolean => !/\.(?:map|d\.ts|tsbuildinfo)$/.test(name);

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** What `npm ci --omit=dev --omit=optional` installs, as links into this machine's node_modules. */
function linkProduction(folder: string): void {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const found = new Set<string>();
  const visit = (path: string, { dependencies, peerDependencies, peerDependenciesMeta }: Locked): void => {
    const peers = Object.keys(peerDependencies ?? {}).filter(name => !peerDependenciesMeta?.[name]?.optional);
    for (const name of [...Object.keys(dependencies ?? {}), ...peers]) {
      const next = locate(path, name);
      if (next === undefined || found.has(next)) continue;
      found.add(next);
      visit(next, packages[next]!);
    }
  };
  const locate = (path: string, name: string): string | undefined => {
    for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
      const candidate = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
      if (packages[candidate]) return candidate;
      if (at === '') return undefined;
    }
  };
  visit('', JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Locked);
  // A nested package comes with the link to the one around it.
  for (const path of [...found].filter(each => each.lastIndexOf('node_modules/') === 0)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(join(ROOT, path), join(folder, path));
  }
}

/** The variables of the image and of its service, for this machine. */
export function variablesOf(ports: { app: number; redis: number; nginx: number }) {
  return {
    ...environmentOf(IMAGE),
    ...COMPOSE.services.app.environment,
    PORT: String(ports.app),
    // nginx connects from the first address of loopback, its clients from others.
    TRUST_PROXY: '127.0.0.1',
    PUBLIC_URL: `http://localhost:${ports.nginx}`,
    REDIS_URL: `redis://:${PASSWORD}@127.0.0.1:${ports.redis}/0`,
    AUDIT_FILE: join(temporary(), 'audit.log'),
    AUDIT_KEY: 'k'.repeat(64),
  };
}

/** A dollar of the compose file is doubled. */
const PASSWORD = 'f00d'.repeat(8);
const REDIS_ENV = { PATH: process.env['PATH'], REDISCLI_AUTH: PASSWORD };
const shellOf = (command: string, port: number, folder: string): string =>
  command
    .replaceAll('$$', '$')
    .replace('redis-server', `redis-server --port ${port} --bind 127.0.0.1 --dir ${folder}`)
    .replace('redis-cli', `redis-cli -p ${port}`);

export function startApp(folder: string, env: Record<string, string>): ChildProcess {
  const [, ...args] = commandOf(IMAGE, 'CMD');
  // The links stand for the packages themselves.
  const links = ['--preserve-symlinks', '--preserve-symlinks-main'];
  const child = spawn(process.execPath, [...links, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], NO_COLOR: '1', ...env },
    stdio: 'ignore',
  });
  closeAfterAll(() => child.kill('SIGKILL'));
  return child;
}

/** @returns the exit code of the image's health check */
export function checkHealth(env: Record<string, string>): Promise<number> {
  const [, ...args] = commandOf(IMAGE, 'HEALTHCHECK');
  return new Promise(settle => {
    execFile(process.execPath, args, { env: { PORT: env['PORT'] } }, error =>
      settle(error === null ? 0 : (error.code as number)),
    );
  });
}

/** A command for the service's Redis, with its password. */
export async function redisCommand(port: number, ...parts: string[]): Promise<string> {
  const child = spawn('redis-cli', ['-p', String(port), ...parts], {
    env: REDIS_ENV,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  child.stdout!.setEncoding('utf8').on('data', chunk => void (text += chunk));
  await once(child, 'close');
  return text.trim();
}

export async function startRedisService(): Promise<number> {
  const [port, folder] = [await freePort(), temporary()];
  const { command, healthcheck } = COMPOSE.services.redis;
  const [shell, option, script] = command as [string, string, string];
  const child = spawn(shell, [option, shellOf(script, port, folder)], {
    env: REDIS_ENV,
    stdio: 'ignore',
    detached: true,
  });
  closeAfterAll(() => process.kill(-child.pid!, 'SIGKILL'));
  const probe = shellOf(healthcheck.test[1] as string, port, folder);
  await until(async () => {
    const [code] = (await once(spawn('sh', ['-c', probe], { env: REDIS_ENV, stdio: 'ignore' }), 'exit')) as [
      number,
    ];
    return code === 0;
  });
  return port;
}

export function startNginxService(port: number, appPort: number): void {
  const folder = temporary();
  const file = join(folder, 'nginx.conf');
  const changes: [from: string, to: string][] = [
    ['listen 8080', `listen 127.0.0.1:${port}`],
    ['http://app:3000', `http://127.0.0.1:${appPort}`],
    [' /tmp/', ` ${folder}/`],
  ];
  let text = NGINX;
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`nginx.conf has no "${from}"`);
    text = text.replaceAll(from, to);
  }
  writeFileSync(file, text);
  const args = ['-p', folder, '-e', join(folder, 'error.log'), '-c', file];
  execFileSync('nginx', [...args, '-t'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const child = spawn('nginx', [...args, '-g', 'daemon off; master_process off;'], { stdio: 'ignore' });
  closeAfterAll(() => child.kill('SIGKILL'));
}
