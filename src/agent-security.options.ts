import type { AuditOptions } from './audit/audit.options.js';
import type { AuthOptions } from './auth/auth.options.js';
import type { BodyOptions } from './body/body.options.js';
import type { TrustProxyOption } from './client-address/client-address.options.js';
import type { Feature } from './common/feature.js';
import {
  isRecord,
  type ReadEnvironment,
  readGiven,
  readObject,
  receivedError,
} from './common/read-options.js';
import type { CorsOptions } from './cors/cors.options.js';
import type { CspReportsOptions } from './csp-reports/csp-reports.options.js';
import type { ErrorsOptions } from './errors/errors.options.js';
import { FEATURES } from './features.js';
import type { SecurityHeadersOptions } from './headers/headers.options.js';
import type { HostsOptions } from './host/host.options.js';
import type { McpOptions } from './mcp/mcp.options.js';
import type { RateLimitOptions } from './rate-limit/rate-limit.options.js';
import type { RequestIdOptions } from './request-id/request-id.options.js';
import type { TimeoutOptions } from './time/timeout.options.js';
import type { ToolsOptions } from './tools/tools.options.js';
import type { UrlOptions } from './url/url.options.js';
import type { WebSocketsOptions } from './websockets/websockets.options.js';

/** Options of `AgentSecurityModule`. A feature that is set to `false` is off. Options win over the environment, the environment over defaults. */
export interface AgentSecurityOptions {
  /**
   * The hosts that requests may name. `false` switches the check off; a list is short for `{ allow: [...] }`.
   *
   * Checked before a body is read: a missing, malformed or repeated host, and one that disagrees with an absolute-form target, get 400
   * `host_invalid`; a valid host that is not listed gets 421 `host_not_allowed`. The log line names the host and the setting to change;
   * the response repeats neither. At most one such line is logged a second.
   * @default loopback names
   * @see RFC 9110 section 7.2, RFC 9112 section 3.2
   */
  hosts?: false | readonly string[] | HostsOptions;
  /**
   * Which origins may read responses and change state. `false` leaves CORS to another layer.
   *
   * A preflight from an allowed origin gets 204, from any other 403 without `Access-Control-*` headers. A request that may change state
   * (any method but GET, HEAD and OPTIONS) from an origin that is not allowed gets 403 `origin_not_allowed` before its handler runs,
   * also where only `Sec-Fetch-Site` (`cross-site` or `same-site`) tells. Requests without both headers do not come from a page and
   * pass; so does an `Origin` that is the request's own host. Every response carries `Vary: Origin`, unless `origins` is `'*'`.
   *
   * `Access-Control-*` headers of another layer are not sent: not those of `app.enableCors()`, `cors` or `@fastify/cors`, not those of
   * a handler, and not `*`. An allowed origin gets the module's headers in their place.
   * @default no cross-origin reader
   * @see Fetch standard, CORS protocol
   */
  cors?: false | CorsOptions;
  /**
   * Security headers on every response, under the names of Nest's `SecurityHeadersOptions`. `false` sends none of them.
   * `@SecurityHeaders()` overrides them for a route, option by option. A header that a handler sets itself is left alone.
   * @default the strict API set below
   */
  headers?: false | SecurityHeadersOptions;
  /**
   * Sends `Cache-Control: no-store` on every response whose handler did not set `Cache-Control` itself. `@NoStore()` forces it on a
   * route, `@NoStore(false)` leaves the header to the handler.
   *
   * A response with a status of 400 or above gets `no-store` in any case, and `Expires`, `Surrogate-Control`, `CDN-Cache-Control` and
   * the like (RFC 9213) are removed: a handler sets them for its answer, not for the error that it throws. To let caches keep the
   * errors of a route, write `@NoStore({ errors: false })`: the route's own headers are then sent on its errors too, which carry a
   * request ID. `noStore: false` leaves all cache headers to the app, also those of errors.
   *
   * Danger: shared caches keep answers to requests with `X-API-Key`; only `Authorization` prevents that (RFC 9111 section 3.5).
   * @default true
   * @see RFC 9111 section 5.2.2.5
   */
  noStore?: boolean;
  /**
   * An ID for each request: on every response, in every problem body, on `req.id` and through `@RequestId()`. `false` for none.
   * @default the header `X-Request-ID`
   */
  requestId?: false | RequestIdOptions;
  /**
   * Limits per client, and the flood limit per address. `false` for none; `RateLimiter` stays for programmatic limiting. See
   * docs/rate-limits.md.
   * @default 10/second and 100/minute per client
   */
  rateLimit?: false | RateLimitOptions;
  /**
   * The trusted proxies, whose forwarded headers count (`X-Forwarded-For`, `Forwarded`, `X-Forwarded-Proto`, `X-Forwarded-Host`): a
   * number of hops, addresses and networks (`'10.0.0.0/8'`, `'loopback'`, `'linklocal'`, `'uniquelocal'`; a list, or comma-separated),
   * or a function `(address, hop) => boolean`. It replaces the platform's own setting. `true` and networks that cover every address
   * stop the start-up: each client could choose its own address.
   *
   * Danger: a hop count that is too high trusts a position that clients write. See docs/proxies.md. Environment: `TRUST_PROXY`.
   * @default false: the address of the peer
   * @see RFC 7239
   */
  trustProxy?: TrustProxyOption;
  /**
   * Errors as `application/problem+json`. `false` leaves errors to Nest; answers given before routing stay problems.
   * @default on
   * @see RFC 9457
   */
  errors?: false | ErrorsOptions;
  /**
   * Bounds on request bodies. `false` for none of this module; those of the parser stay. See docs/input.md.
   * @default 10 MiB, JSON 64 levels deep, no key twice
   */
  body?: false | BodyOptions;
  /**
   * Protection of MCP endpoints before routing. See docs/mcp.md. Without it, or with `false`, an endpoint is a route like any other;
   * `false` also switches off the warning about it.
   * @default off
   */
  mcp?: false | McpOptions;
  /**
   * Checks of WebSocket handshakes. Messages are limited by `rateLimit.messages`. See docs/websockets.md.
   * @default the checks of every other request
   */
  webSockets?: WebSocketsOptions;
  /**
   * Authentication of agents. When it is on, every route needs a verified agent unless it is `@Public()`. `true` reads everything from
   * the environment. See docs/authentication.md.
   * @default off
   */
  auth?: boolean | AuthOptions;
  /**
   * Which agents may call the tools that `@AgentTool()` and MCP endpoints offer. `false` enforces nothing, also not what `@AgentTool()`
   * declares. See docs/tools.md.
   * @default what each tool declares
   */
  tools?: false | ToolsOptions;
  /** Audit records of tool calls. `false` writes none. See docs/audit.md. @default in Nest's log */
  audit?: false | AuditOptions;
  /**
   * Bounds on URLs. An ambiguous path gets 400 `url_invalid`, on Express and Fastify alike. `false` for no check. See
   * docs/input.md#paths.
   * @default 8192 characters, no ambiguous path
   */
  url?: false | UrlOptions;
  /**
   * The methods that the app answers; any other gets 405 `method_not_allowed` with `Allow`. `HEAD` comes with `GET`; preflights are
   * always answered. Lower case, methods that Node does not know, `TRACE`, `CONNECT` and an empty list stop the start-up.
   * @default every method but `TRACE`
   */
  methods?: readonly string[];
  /**
   * How long requests may take to arrive, handlers to answer, and streams to stay silent. `false` for no limit of this module; a time
   * is short for `{ handler }`. A time is a number of milliseconds or text: `'500ms'`, `'30s'`, `'5min'`, `'1h'`; `false` is none. See
   * docs/timeouts.md.
   * @default limits of the server; none for handlers
   */
  timeout?: false | number | string | TimeoutOptions;
  /**
   * Collects the reports that browsers send of violated policies, and asks for them in the policies. See docs/csp-reports.md.
   * @default off
   */
  cspReports?: boolean | CspReportsOptions;
}

type AnyFeature = (typeof FEATURES)[number];

/** What each feature has made of its option, by the option's name. */
export type ResolvedOptions = {
  readonly [F in AnyFeature as F['key']]: F extends Feature<string, infer R> ? R : never;
};

const KNOWN: readonly AnyFeature['key'][] = FEATURES.map(({ key }) => key);

/**
 * What a factory of `forRootAsync()` returned. An empty object is an error as well: spreading a configuration that does not exist makes
 * one, and it would leave everything at its default, authentication at "off".
 */
export function readFactoryOptions(returned: unknown): unknown {
  const options = readGiven<unknown>('the options that the factory of forRootAsync() returned', returned);
  if (!isRecord(options) || Object.keys(options).length > 0 || KNOWN.some(key => key in options))
    return options;
  throw receivedError(
    'ASEC_OPTIONS_MISSING',
    'the options that the factory of forRootAsync() returned',
    'must name an option',
    'Look for a misspelt name where they come from; for the defaults alone, use forRoot().',
    options,
  );
}

/** Reads all options once, before the first request. @throws AgentSecurityConfigError for the first one that is wrong */
export function resolveOptions(input: unknown, env: ReadEnvironment): ResolvedOptions {
  const options = readObject('', readGiven('options', input), KNOWN);
  const resolved: Record<string, unknown> = {};
  for (const { key, resolve } of FEATURES) resolved[key] = resolve(options[key], env, resolved);
  return resolved as ResolvedOptions;
}
