import { type OptionTable, readTable, type Resolved, timeLimit } from '../common/option-table.js';
import type { ForeignNames } from '../common/foreign-names.js';
import { isRecord, readGiven, receivedError } from '../common/read-options.js';

/** A duration with a unit, such as `'500ms'`, `'30s'`, `'5min'`; `false` for no limit. */
type Limit = false | string;

/**
 * Time limits: a duration such as `'500ms'`, `'30s'`, `'5min'`, or `false` for no limit. A number without a unit stops the start-up.
 * @example
 * AgentSecurityModule.forRoot({ timeout: { handler: '30s', idle: '1min' } })
 */
export interface TimeoutOptions {
  /**
   * The time for guards and handler, until the response begins. After it the client gets 503 `handler_timeout` with `Retry-After`, the
   * handler's `@Signal()` is aborted, and a later response of the handler is ignored. `@Timeout()` on a route or class takes precedence.
   *
   * Note: the handler keeps running until it reads its signal.
   * @default false
   */
  handler?: Limit;
  /**
   * The time that a response which has begun (server-sent events, a download) may send nothing. After it, and at the latest after twice
   * the time, the connection is closed. A stream with rare events should send comments in between.
   * @default '5min' on routes that `handler` limits, otherwise none
   */
  idle?: Limit;
  /**
   * The time for the head of a request (`server.headersTimeout`), against Slowloris attacks. A slower one gets 408 `request_timeout`.
   * `false` leaves the server as it is. A stricter value that the app sets on the server itself is kept.
   * @default '20s'
   * @see CWE-400
   */
  headers?: Limit;
  /**
   * The time for a whole request with its body (`server.requestTimeout`). A slower one gets 408 `request_timeout`. Large uploads over
   * slow connections need more.
   * @default '2min'; Node's own default is 300 s, Fastify's is no limit
   */
  request?: Limit;
  /**
   * The time that an idle connection stays open for the next request (`server.keepAliveTimeout`).
   *
   * Note: if it is shorter than that of a proxy in front, the proxy may send a request into a connection that closes.
   * @default the platform's: 5 s with Express, 72 s with Fastify
   */
  keepAlive?: Limit;
  /**
   * The time that running requests may take when the app is closed (`app.close()`, or a signal with `enableShutdownHooks()`). After it
   * their connections are closed, and the audit records of their tool calls end as `aborted`. `false` for no limit.
   *
   * Note: a stream that never ends keeps the app open for the whole time. If the time is longer than that between SIGTERM and SIGKILL,
   * running calls get no audit record of their end.
   * @default '8s': Docker kills a container 10 s after SIGTERM, and sinks and stores need some of that
   */
  shutdown?: Limit;
}

/**
 * The limits of `@Timeout()`.
 * @example
 * const limits: RouteTimeout = { handler: '10s', idle: '1min' };
 */
export type RouteTimeout = Pick<TimeoutOptions, 'handler' | 'idle'>;

export const DEFAULT_IDLE_MS = 300_000;
const DEFAULT_SHUTDOWN = '8s';

const ROUTE_TABLE = { handler: timeLimit, idle: timeLimit } satisfies OptionTable<RouteTimeout>;

const TABLE = {
  ...ROUTE_TABLE,
  headers: timeLimit,
  request: timeLimit,
  keepAlive: timeLimit,
  shutdown: (option, value = DEFAULT_SHUTDOWN) => timeLimit(option, value) as number | false,
} satisfies OptionTable<TimeoutOptions>;

/** The names of Node's server and of Fastify. */
const FOREIGN: ForeignNames = {
  requestTimeout: 'Write request: "2min", a duration with a unit.',
  headersTimeout: 'Write headers: "20s", a duration with a unit.',
  keepAliveTimeout: 'Write keepAlive: "72s", a duration with a unit.',
  connectionTimeout:
    'Write request: "2min" for a whole request, or idle: "5min" for a response that has begun.',
  handlerTimeout: 'Write handler: "30s", a duration with a unit.',
};

/** In milliseconds. `undefined`: not set here; `false`: no limit, or for `headers`, `request` and `keepAlive` the server's own. */
export type ResolvedTimeout = Resolved<typeof TABLE>;
export type ResolvedRouteTimeout = Resolved<typeof ROUTE_TABLE>;

/** The module's limits of routes; an empty object where `timeout` is off. */
export const RESOLVED_TIMEOUT = Symbol('agent-security:resolved-timeout');

export function resolveTimeout(input: unknown): ResolvedTimeout | false {
  if (input === false) return false;
  const isLimit = typeof input === 'string' || typeof input === 'number';
  return readTable('timeout', isLimit ? { handler: input } : input, TABLE, FOREIGN);
}

export function resolveRouteTimeout(option: string, input: unknown): ResolvedRouteTimeout {
  if (!isRecord(input)) {
    const handler = timeLimit(option, readGiven(option, input));
    return { handler, idle: handler === false ? false : undefined };
  }
  const limits = readTable(option, input, ROUTE_TABLE);
  if (limits.handler !== undefined || limits.idle !== undefined) return limits;
  throw receivedError(
    'ASEC_OPTIONS_MISSING',
    option,
    'must name a limit',
    'Write for example { handler: "30s" }, or false for none.',
    input,
  );
}
