/* Opens a client for a URL, configured so that nothing waits for a Redis that is down. While the connection cannot be used, each command
 * fails at once with what an operator can change, and with no part of the URL, which may hold a password. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { ifInstalled } from '../common/if-installed.js';
import { within } from '../common/within.js';
import { checkRedisUrl } from '../common/redis-url.js';
import type { IoredisClient, NodeRedisClient, RedisClient } from './redis-client.js';

export interface OpenedClient {
  readonly client: RedisClient;
  /** Connects. After a second, or a failure, it continues in the background. Never rejects. */
  connect(): Promise<void>;
  /** Closes the connection; open commands reject. */
  close(): void;
}

const START_MS = 1_000;
const QUEUE_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** A connection that has been silent for so long while a command is open is closed: the server may have vanished. */
const SOCKET_TIMEOUT_MS = 10_000;

const retryMs = (attempts: number): number => Math.min(50 * 2 ** Math.min(attempts, 6), 2_000);

/**
 * Opens a client of ioredis, or of node-redis if ioredis is not installed. A command that Redis answers late still gets its answer, as
 * long as the connection lives: leases that were granted late are given back.
 * @throws AgentSecurityConfigError for an invalid URL, or if neither is installed
 */
export async function openClient(option: string, url: string): Promise<OpenedClient> {
  checkRedisUrl(option, url);
  const opened =
    (await ifInstalled('ioredis', () => import('ioredis').then(module => openIoredis(module, url)))) ??
    (await ifInstalled('redis', () => import('redis').then(module => openNodeRedis(module, url))));
  if (opened !== undefined) return opened;
  throw new AgentSecurityConfigError(
    'ASEC_OPTION_TYPE',
    option,
    'needs a Redis client, and neither ioredis nor redis is installed',
    `Run "npm install ioredis".${option === 'REDIS_URL' ? ' Without REDIS_URL, each process counts in its own memory.' : ''}`,
  );
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
  const state = new ConnectionState(url, client, () => client.status === 'ready');
  const guarded: IoredisClient & { duplicate(): unknown } = {
    evalsha: (sha, keys, ...rest) => state.run(() => client.evalsha(sha, keys, ...rest)),
    eval: (script, keys, ...rest) => state.run(() => client.eval(script, keys, ...rest)),
    duplicate: () => client.duplicate(),
  };
  return {
    client: guarded,
    connect: () => connectInTime(client),
    close: () => client.disconnect(),
  };
}

function openNodeRedis(
  { createClient }: Pick<typeof import('redis'), 'createClient'>,
  url: string,
): OpenedClient {
  const socket = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    reconnectStrategy: retryMs,
  };
  const client = createClient({
    url,
    disableOfflineQueue: true,
    // Only of commands that are not sent yet.
    commandOptions: { timeout: QUEUE_TIMEOUT_MS },
    socket,
  });
  const state = new ConnectionState(url, client, () => client.isReady);
  const guarded: NodeRedisClient & { duplicate(): unknown } = {
    evalSha: (sha, options) => state.run(() => client.evalSha(sha, options)),
    eval: (script, options) => state.run(() => client.eval(script, options)),
    // A subscription is silent for long; TCP's keep-alive finds a server that has vanished.
    duplicate: () => client.duplicate({ socket: { ...socket, socketTimeout: 0 } }),
  };
  return {
    client: guarded,
    connect: () => connectInTime(client),
    close: () => {
      if (client.isOpen) client.destroy();
    },
  };
}

async function connectInTime(client: { connect(): Promise<unknown> }): Promise<void> {
  await within(client.connect(), START_MS).catch(() => undefined);
}

/** A connection that the module opened cannot be used; the message says why. */
export class RedisUnusableError extends Error {
  override readonly name = 'RedisUnusableError';

  constructor(cause: string) {
    super(`Redis cannot be used: ${cause}`);
  }
}

/** The state of a connection, from the events of its client. */
class ConnectionState {
  #cause: string;
  /** A client that could not select its database continues with database 0, which belongs to others. */
  #wrongDatabase = false;
  /** Whether the cause of this attempt's failure is known. */
  #isExplained = false;

  constructor(
    private readonly url: string,
    client: { on(event: string, listener: (error?: unknown) => void): unknown },
    private readonly isReady: () => boolean,
  ) {
    this.#cause = `there is no connection yet${isTls(url) ? ' (if the port does not speak TLS, write redis://)' : ''}`;
    client.on('connect', () => (this.#wrongDatabase = this.#isExplained = false));
    // An error event without a listener would end the process.
    client.on('error', error => this.#onError(error));
    client.on('ready', () => {
      if (this.#wrongDatabase) return;
      this.#cause = 'the connection was lost';
      this.#isExplained = false;
    });
  }

  #onError(error: unknown): void {
    const message = String((error as Error | undefined)?.message);
    // The cause of the close came before.
    if (this.#isExplained && /closed/i.test(message)) return;
    this.#isExplained = true;
    this.#cause = describeRedisError(error, this.url);
    if (DATABASE.test(message)) this.#wrongDatabase = true;
  }

  /** Runs a command. @throws RedisUnusableError if the connection cannot be used */
  async run<T>(command: () => Promise<T>): Promise<T> {
    if (this.#wrongDatabase || !this.isReady()) throw new RedisUnusableError(this.#cause);
    try {
      return await command();
    } catch (error) {
      const message = String((error as Error | undefined)?.message);
      const kind = OTHER_SERVERS.find(([pattern]) => pattern.test(message))?.[1];
      throw kind === undefined ? error : new RedisUnusableError(kind);
    }
  }
}

const isTls = (url: string): boolean => /^rediss:/i.test(url);

type Cause = readonly [pattern: RegExp, cause: string];

/** Servers that a URL names by mistake: they answer, and no command works. */
const OTHER_SERVERS: readonly Cause[] = [
  [
    /^(?:MOVED|ASK|CROSSSLOT|CLUSTERDOWN)\b/,
    'the server is a node of a Redis Cluster, which needs a client of your own (new Cluster([…]))',
  ],
  [
    /unknown command/i,
    'the server does not run scripts (a Sentinel needs a client of your own: new Redis({ sentinels, name }))',
  ],
];

const DATABASE = /DB index|SELECT is not allowed/i;

const TLS_CAUSES: readonly Cause[] = [
  [/CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME/, 'the certificate of the server is not trusted'],
  [
    /ETIMEDOUT|timeout|ERR_SSL|EPROTO|ECONNRESET|before secure TLS/i,
    'there is no TLS handshake (if the port does not speak TLS, write redis://)',
  ],
];

const CAUSES: readonly Cause[] = [
  [
    /WRONGPASS|invalid password|invalid username-password/i,
    'the server rejects the user name or the password',
  ],
  [/NOAUTH/, 'the server requires a password, and the URL has none'],
  [DATABASE, 'the server has no database %'],
  [
    /RESP type|Protocol error/i,
    'the server does not speak the protocol of Redis (if the port speaks TLS, write rediss://)',
  ],
  [
    /ECONNRESET|EPIPE|closed/i,
    'the server closes the connection without an answer (if the port speaks TLS, write rediss://)',
  ],
  [/ECONNREFUSED/, 'nothing listens at the address'],
  [/ENOTFOUND|EAI_AGAIN/, 'the name of the server has no address'],
  [/ETIMEDOUT|timeout/i, 'the server does not answer'],
];

/** Describes an unknown error by its code only: its message may repeat what was sent, including a password. */
export function describeRedisError(error: unknown, url: string): string {
  const { code = '', message = '' } = (error ?? {}) as { code?: unknown; message?: unknown };
  const text = `${String(code)} ${String(message)}`;
  const causes = isTls(url) ? [...TLS_CAUSES, ...CAUSES] : CAUSES;
  const known = causes.find(([pattern]) => pattern.test(text))?.[1];
  if (known !== undefined) return known.replace('%', /^\w+:\/\/[^/]*\/(\d+)/.exec(url)?.[1] ?? '0');
  const name = /^(?:[A-Z][A-Z0-9_]{1,40})(?= |$)/.exec(text.trim())?.[0];
  return name === undefined ? 'the connection fails' : `the connection fails (${name})`;
}
