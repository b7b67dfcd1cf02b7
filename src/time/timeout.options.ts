import { type OptionTable, readTable, timeLimit } from '../common/option-table.js';
import { isRecord, readGiven, receivedError } from '../common/read-options.js';

/** Milliseconds, or text such as `'500ms'`, `'30s'`, `'5min'`; `false` for no limit. */
type Limit = false | number | string;

export interface TimeoutOptions {
  /**
   * Until the answer begins. Beyond it the client gets 503 with `Retry-After`, the handler's `@Signal()` aborts, and what the handler
   * answers later is dropped.
   * @default false
   */
  handler?: Limit;
  /**
   * How long an answer that has begun (server-sent events, a download) may send nothing. Beyond it, and at most twice as late, the
   * connection is closed. A stream that is rarely heard of should send a comment now and then.
   * @default '5min' on routes that `handler` limits
   */
  idle?: Limit;
  /** Until the head of a request has come (`server.headersTimeout`). @default '20s' @see Slowloris, CWE-400 */
  headers?: Limit;
  /** Until a request has come whole (`server.requestTimeout`; Fastify's own default is no limit). @default '2min' */
  request?: Limit;
  /** How long an idle connection stays open for the next request (`server.keepAliveTimeout`). @default the platform's */
  keepAlive?: Limit;
  /**
   * How long requests that are under way may take when the app is closed. Beyond it their connections are closed and their calls recorded as
   * aborted.
   * @default '8s', since Docker ends a container 10 s after it was asked to stop
   */
  shutdown?: Limit;
}

/** How long a route may take. */
export type RouteTimeout = Pick<TimeoutOptions, 'handler' | 'idle'>;

export interface ResolvedRouteTimeout {
  /** `undefined`: not said here; `false`: none. */
  readonly handlerMs: number | false | undefined;
  readonly idleMs: number | false | undefined;
}

export interface ResolvedTimeout extends ResolvedRouteTimeout {
  readonly server: ServerLimits;
  readonly shutdownMs: number | false;
}

/** `undefined` is what the app did not choose; `false` leaves the server as it is. */
export interface ServerLimits {
  readonly headersMs: number | false | undefined;
  readonly requestMs: number | false | undefined;
  readonly keepAliveMs: number | false | undefined;
}

export const DEFAULT_IDLE_MS = 300_000;
const DEFAULT_SHUTDOWN_MS = 8_000;

const ROUTE_TABLE = { handler: timeLimit, idle: timeLimit } satisfies OptionTable<RouteTimeout>;

const TABLE = {
  ...ROUTE_TABLE,
  headers: timeLimit,
  request: timeLimit,
  keepAlive: timeLimit,
  shutdown: (option, value = DEFAULT_SHUTDOWN_MS) => timeLimit(option, value) as number | false,
} satisfies OptionTable<TimeoutOptions>;

export function resolveTimeout(input: unknown): ResolvedTimeout | false {
  if (input === false) return false;
  const isLimit = typeof input === 'string' || typeof input === 'number';
  const limits = readTable('timeout', isLimit ? { handler: input } : input, TABLE);
  return {
    handlerMs: limits.handler,
    idleMs: limits.idle,
    server: { headersMs: limits.headers, requestMs: limits.request, keepAliveMs: limits.keepAlive },
    shutdownMs: limits.shutdown,
  };
}

export function resolveRouteTimeout(option: string, input: unknown): ResolvedRouteTimeout {
  if (!isRecord(input)) {
    const limit = readGiven(option, input);
    return { handlerMs: timeLimit(option, limit), idleMs: limit === false ? false : undefined };
  }
  const { handler, idle } = readTable(option, input, ROUTE_TABLE);
  if (handler !== undefined || idle !== undefined) return { handlerMs: handler, idleMs: idle };
  throw receivedError(
    'ASEC_OPTIONS_MISSING',
    option,
    'must name a limit',
    'Write for example { handler: "30s" }, or false for none.',
    input,
  );
}
