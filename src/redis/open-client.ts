/* A client of our own for a URL, with settings under which nothing waits for a Redis that is not there. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { ConnectionState } from './connection-cause.js';
import type { IoredisClient, NodeRedisClient, RedisClient } from './redis-client.js';

export interface OpenedClient {
  readonly client: RedisClient;
  /** Starts connecting; rejects if the first attempt fails, and goes on trying. */
  connect(): Promise<unknown>;
  close(): void;
}

const COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** A connection that has been silent so long with a command under way is given up: its server may be gone without a word. */
const SOCKET_TIMEOUT_MS = 10_000;

const retryMs = (attempts: number): number => Math.min(50 * 2 ** Math.min(attempts, 6), 2_000);

/**
 * By ioredis, or by node-redis if that is what is installed.
 * @param hearsLate whether answers that take longer than a second are still wanted, as long as the connection lives
 * @throws AgentSecurityConfigError if neither is installed
 */
export async function openClient(option: string, url: string, hearsLate = false): Promise<OpenedClient> {
  const opened =
    (await ifInstalled(() => import('ioredis').then(module => openIoredis(module, url, hearsLate)))) ??
    (await ifInstalled(() => import('redis').then(module => openNodeRedis(module, url))));
  if (opened !== undefined) return opened;
  throw new AgentSecurityConfigError(
    'ASEC_OPTION_TYPE',
    option,
    'needs a Redis client, and neither ioredis nor redis is installed',
    'Run "npm install ioredis", or remove it to count in the memory of each process.',
  );
}

async function ifInstalled<T>(load: () => Promise<T>): Promise<T | undefined> {
  try {
    return await load();
  } catch (error) {
    if (String((error as { code?: unknown }).code).endsWith('MODULE_NOT_FOUND')) return undefined;
    throw error;
  }
}

/** Without a listener, an error event ends the process. */
function watch(
  client: { on(event: string, listener: (error?: unknown) => void): unknown },
  state: ConnectionState,
): void {
  client.on('connect', () => state.onConnect());
  client.on('error', error => state.onError(error));
  client.on('ready', () => state.onReady());
}

function openIoredis(
  { Redis }: Pick<typeof import('ioredis'), 'Redis'>,
  url: string,
  hearsLate: boolean,
): OpenedClient {
  const client = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    ...(hearsLate ? {} : { commandTimeout: COMMAND_TIMEOUT_MS }),
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    // How long its timer may hold an ending process, also where the connection is gone already.
    disconnectTimeout: 100,
    retryStrategy: retryMs,
    // After a failover the old master refuses to write; its name leads to the new one by now.
    reconnectOnError: error => error.message.startsWith('READONLY'),
  });
  const state = new ConnectionState(url, () => client.status === 'ready');
  watch(client, state);
  const guarded: IoredisClient = {
    evalsha: (sha, keys, ...rest) => state.run(() => client.evalsha(sha, keys, ...rest)),
    eval: (script, keys, ...rest) => state.run(() => client.eval(script, keys, ...rest)),
  };
  return {
    client: guarded,
    connect: () => client.connect(),
    close: () => client.disconnect(),
  };
}

function openNodeRedis(
  { createClient }: Pick<typeof import('redis'), 'createClient'>,
  url: string,
): OpenedClient {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    commandOptions: { timeout: COMMAND_TIMEOUT_MS },
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      reconnectStrategy: retryMs,
    },
  });
  const state = new ConnectionState(url, () => client.isReady);
  watch(client, state);
  const guarded: NodeRedisClient = {
    evalSha: (sha, options) => state.run(() => client.evalSha(sha, options)),
    eval: (script, options) => state.run(() => client.eval(script, options)),
  };
  return {
    client: guarded,
    connect: () => client.connect(),
    close: () => {
      if (client.isOpen) client.destroy();
    },
  };
}
