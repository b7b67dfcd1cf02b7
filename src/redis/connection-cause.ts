/* Explains in a log line why a connection to Redis cannot be used: what an operator can change, and no part of the URL. */

/** Describes an unknown error by its code only: its message may repeat what was sent, including a password. */
export function describeRedisError(error: unknown, url: string): string {
  const { code = '', message = '' } = (error ?? {}) as { code?: unknown; message?: unknown };
  const text = `${String(code)} ${String(message)}`;
  const isTls = /^rediss:/i.test(url);
  const known = (isTls ? [...TLS_CAUSES, ...CAUSES] : CAUSES).find(([pattern]) => pattern.test(text));
  if (known !== undefined) return known[1].replace('%', databaseOf(url));
  const name = /^(?:[A-Z][A-Z0-9_]{1,40})(?= |$)/.exec(text.trim())?.[0];
  return name === undefined ? 'the connection fails' : `the connection fails (${name})`;
}

function isDatabaseError(error: unknown): boolean {
  return DATABASE.test(String((error as { message?: unknown } | undefined)?.message));
}

type Cause = readonly [pattern: RegExp, cause: string];

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

const databaseOf = (url: string): string => /^\w+:\/\/[^/]*\/(\d+)/.exec(url)?.[1] ?? '0';

/** A connection that the module opened cannot be used; the message says why. */
export class RedisUnusableError extends Error {
  override readonly name = 'RedisUnusableError';

  constructor(cause: string) {
    super(`Redis cannot be used: ${cause}`);
  }
}

/** The state of a connection, from the events of its client. */
export class ConnectionState {
  #cause: string;
  /** A client that could not select its database continues with database 0, which belongs to others. */
  #wrongDatabase = false;
  /** Whether the cause of this attempt's failure is known. */
  #isExplained = false;

  constructor(
    private readonly url: string,
    private readonly isReady: () => boolean,
  ) {
    const hint = /^rediss:/i.test(url) ? ' (if the port does not speak TLS, write redis://)' : '';
    this.#cause = `there is no connection yet${hint}`;
  }

  onConnect(): void {
    this.#wrongDatabase = this.#isExplained = false;
  }

  onError(error: unknown): void {
    // The cause of the close came before.
    if (this.#isExplained && /closed/i.test(String((error as Error | undefined)?.message))) return;
    this.#isExplained = true;
    this.#cause = describeRedisError(error, this.url);
    if (isDatabaseError(error)) this.#wrongDatabase = true;
  }

  onReady(): void {
    if (this.#wrongDatabase) return;
    this.#cause = 'the connection was lost';
    this.#isExplained = false;
  }

  /** Runs a command. @throws RedisUnusableError if the connection cannot be used */
  async run<T>(command: () => Promise<T>): Promise<T> {
    if (this.#wrongDatabase || !this.isReady()) throw new RedisUnusableError(this.#cause);
    return command();
  }
}
