import { readTimerMs } from '../common/read-duration.js';
import { isRecord, readGiven, readObject, receivedError } from '../common/read-options.js';

/** Milliseconds, or text such as `'500ms'`, `'30s'`, `'5min'`; `false` for no limit. */
type Limit = false | number | string;

export interface TimeoutOptions {
  /**
   * How long guards and handler may take until the response begins. Beyond it the client gets 503 `handler_timeout` with `Retry-After`,
   * the handler's `@Signal()` aborts, and its late answer is dropped. `@Timeout()` on a route or class takes precedence.
   *
   * Note: the handler continues until it looks at its signal.
   * @default false
   */
  handler?: Limit;
  /**
   * How long a response that has begun (server-sent events, a download) may send nothing. Beyond it, and at most twice as late, its
   * connection is closed. A stream that is mostly silent should send a comment now and then.
   * @default '5min' on routes whose handler is limited, else none
   */
  idle?: Limit;
  /**
   * How long the head of a request may take (`server.headersTimeout`): 408 `request_timeout`. `false` leaves the server as it is. A
   * value that the app has set on the server itself is never loosened.
   * @default '20s'
   * @see CWE-400, Slowloris
   */
  headers?: Limit;
  /**
   * How long a request may take to arrive whole, its body included (`server.requestTimeout`): 408 `request_timeout`. Large uploads over
   * slow connections need more. Node's own default is 300 s; Fastify's is none.
   * @default '2min'
   */
  request?: Limit;
  /**
   * How long an idle connection waits for its next request (`server.keepAliveTimeout`). A value below that of a proxy in front lets the
   * proxy send into a connection that closes.
   * @default the platform's: 5 s with Express, 72 s with Fastify
   */
  keepAlive?: Limit;
  /**
   * How long requests in flight may take when the app is closed (`app.close()`, a signal with `enableShutdownHooks()`). Beyond it their
   * connections are closed, and tool calls on them are recorded as `aborted`. `false` for no limit.
   *
   * Note: a stream that never ends holds the app open for the whole time. Where the limit is longer than the time between SIGTERM and
   * SIGKILL, nothing of what is in flight is recorded.
   * @default '8s': Docker kills a container 10 s after SIGTERM, and sinks and stores need some of it
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

export function resolveTimeout(input: unknown): ResolvedTimeout | false {
  if (input === false) return false;
  const given = isLimit(input) ? { handler: input } : input;
  const options = readObject('timeout', given, [
    'handler',
    'idle',
    'headers',
    'request',
    'keepAlive',
    'shutdown',
  ]);
  return {
    ...readRoute('timeout', options),
    server: {
      headersMs: readLimit('timeout.headers', options.headers),
      requestMs: readLimit('timeout.request', options.request),
      keepAliveMs: readLimit('timeout.keepAlive', options.keepAlive),
    },
    shutdownMs: readLimit('timeout.shutdown', options.shutdown) ?? DEFAULT_SHUTDOWN_MS,
  };
}

export function resolveRouteTimeout(option: string, input: unknown): ResolvedRouteTimeout {
  if (!isRecord(input)) {
    const limit = readGiven(option, input);
    return { handlerMs: readLimit(option, limit), idleMs: limit === false ? false : undefined };
  }
  const options = readObject(option, input, ['handler', 'idle']);
  if (Object.keys(options).length > 0) return readRoute(option, options);
  throw receivedError(
    'ASEC_OPTIONS_MISSING',
    option,
    'must name a limit',
    'Write for example { handler: "30s" }, or false for none.',
    input,
  );
}

function readRoute(option: string, options: { handler?: unknown; idle?: unknown }): ResolvedRouteTimeout {
  return {
    handlerMs: readLimit(`${option}.handler`, options.handler),
    idleMs: readLimit(`${option}.idle`, options.idle),
  };
}

const isLimit = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number';

function readLimit(option: string, value: unknown): number | false | undefined {
  return value === undefined || value === false ? value : readTimerMs(option, value);
}
