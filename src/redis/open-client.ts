/* Opens a client for a URL, configured so that nothing waits for a Redis that is down. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { ConnectionState } from './connection-cause.js';
import type { IoredisClient, NodeRedisClient, RedisClient } from './redis-client.js';

export interface OpenedClient {
  readonly client: RedisClient;
  /** Starts connecting. Rejects if the first attempt fails, and keeps trying. */
  connect(): Promise<unknown>;
  close(): void;
}

const QUEUE_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** A connection that has been silent for so long while a command is open is closed: the server may have vanished. */
const SOCKET_TIMEOUT_MS = 10_000;

const retryMs = (attempts: number): number => Math.min(50 * 2 ** Math.min(attempts, 6), 2_000);

/**
 * Opens a client of ioredis, or of node-redis if ioredis is not installed. A command that Redis answers late still gets its answer, as
 * long as the connection lives: leases that were granted late are given back.
 * @throws AgentSecurityConfigError if neither is installed
 */
export async function openClient(option: string, url: string): Promise<OpenedClient> {
  const opened =
    (await ifInstalled(() => import('ioredis').then(module => openIoredis(module, url)))) ??
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

/** An error event without a listener would end the process. */
function addListeners(
  client: { on(event: string, listener: (error?: unknown) => void): unknown },
  state: ConnectionState,
): void {
  client.on('connect', () => state.onConnect());
  client.on('error', error => state.onError(error));
  client.on('ready', () => state.onReady());
}

function openIoredis({ Redis }: Pick<typeof import('ioredis'), 'Redis'>, url: string): OpenedClient {
  const client = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    // How long its timer may keep an ending process alive, even if the connection is closed already.
    disconnectTimeout: 100,
    retryStrategy: retryMs,
    // After a failover the old master rejects writes, and its name resolves to the new one.
    reconnectOnError: error => error.message.startsWith('READONLY'),
  });
  const state = new ConnectionState(url, () => client.status === 'ready');
  addListeners(client, state);
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
    // Only of commands that are not sent yet.
    commandOptions: { timeout: QUEUE_TIMEOUT_MS },
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      reconnectStrategy: retryMs,
    },
  });
  const state = new ConnectionState(url, () => client.isReady);
  addListeners(client, state);
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
