import type { AuditOptions } from './audit/audit.options.js';
import type { AuthOptions } from './auth/auth.options.js';
import type { BodyOptions } from './body/body.options.js';
import type { CheckOptions } from './check/check.options.js';
import type { TrustedProxies, TrustProxyOptions } from './client-address/client-address.options.js';
import type { CorsOptions } from './cors/cors.options.js';
import type { CspReportsOptions } from './csp-reports/csp-reports.options.js';
import type { DashboardOptions } from './dashboard/dashboard.options.js';
import type { ErrorsOptions } from './errors/errors.options.js';
import type { SecurityHeadersOptions } from './headers/headers.options.js';
import type { LoggingOptions } from './events/logging.options.js';
import type { HostsOptions } from './host/host.options.js';
import type { McpOptions } from './mcp/mcp.options.js';
import type { RateLimitOptions } from './rate-limit/rate-limit.options.js';
import type { RequestIdOptions } from './request-id/request-id.options.js';
import type { TelemetryOptions } from './telemetry/telemetry.options.js';
import type { TimeoutOptions } from './time/timeout.options.js';
import type { ToolsOptions } from './tools/tools.options.js';
import type { UrlOptions } from './url/url.options.js';
import type { WebSocketsOptions } from './websockets/websockets.feature.js';

/**
 * The options of `AgentSecurityModule`. `false` turns a feature off, and `true` is its default. A text or a list is short for the main
 * member: `hosts` for `allow`, `cors` for `origins`, `rateLimit` for `limits`, `mcp`, `cspReports` and `dashboard` for `path`, `timeout` for `handler`,
 * `body` for `maxBytes`, `requestId` for `header`, `audit` for `file`, `logging` for `level`. An option overrides its environment
 * variable, which is read through the app's `ConfigService` and overrides the default.
 * @example
 * AgentSecurityModule.forRoot({ hosts: ['api.example.com'], rateLimit: { limits: ['100/minute'] } })
 */
export interface AgentSecurityOptions {
  /**
   * The allowed hosts of requests. `false` switches the check off; a host or a list of hosts is short for `{ allow }`. A missing, malformed or repeated
   * host, or one that disagrees with an absolute-form target, gets 400 `host_invalid`; a valid host that is not listed gets 421
   * `host_not_allowed`. Both are checked before the body is read. The log names the host and the setting to change, at most once a
   * second; the response contains neither. Environment: `ALLOWED_HOSTS`.
   * @default ['localhost', '*.localhost', '127.0.0.1', '[::1]']
   * @see RFC 9110 section 7.2, RFC 9112 section 3.2
   */
  hosts?: false | string | readonly string[] | HostsOptions;
  /**
   * The origins whose pages may read responses and change state. `false` leaves CORS to another layer.
   *
   * A preflight of an allowed origin gets 204, of any other origin 403 without `Access-Control-*` headers. A state-changing request (any
   * method but GET, HEAD and OPTIONS) of an origin that is not allowed gets 403 `origin_not_allowed` before its handler runs, also if
   * only `Sec-Fetch-Site` (`cross-site` or `same-site`) shows it. Requests without `Origin` and `Sec-Fetch-Site` do not come from a page
   * and are accepted. So is the request's own host as the origin, and `Sec-Fetch-Site: same-origin`, which no script can set. Responses
   * have `Vary: Origin`, unless `origins` is `'*'`. `@AllowCrossSite()` opens one route to pages of other sites.
   *
   * The module removes `Access-Control-*` headers of other layers: `app.enableCors()`, `cors`, `@fastify/cors` and handlers. See
   * docs/guides/cors.md. Environment: `CORS_ORIGINS`, `CORS_CREDENTIALS`, `CORS_MAX_AGE`.
   * @default no origin but the app's own
   * @see Fetch standard, CORS protocol
   */
  cors?: false | string | readonly string[] | CorsOptions;
  /**
   * The security headers of every response, under the names of Nest's `SecurityHeadersOptions`. `false` sends none of them. For each
   * header, `false` leaves it out, `true` sends its default and an object sets its parts. A header that a handler sets itself is sent as
   * the handler set it. `@SecurityHeaders()` overrides single headers for a route. See docs/guides/headers.md.
   * @default the defaults below
   */
  headers?: boolean | SecurityHeadersOptions;
  /**
   * Sends `Cache-Control: no-store` unless the handler sets `Cache-Control`. `@NoStore()` forces it on a route; `@NoStore(false)` leaves
   * the header to the handler.
   *
   * Responses with a status from 400 always get `no-store`, without `Expires`, `Surrogate-Control`, `CDN-Cache-Control` and the like (RFC
   * 9213), which a handler sets for its successful response. `@NoStore({ errors: false })` keeps the route's own headers on its errors,
   * so that caches may store them with their request ID. `noStore: false` leaves all cache headers to the app, those of errors too.
   *
   * Danger: a shared cache may store responses to requests with `X-API-Key`; only `Authorization` prevents it (RFC 9111 section 3.5).
   * @default true
   * @see RFC 9111 section 5.2.2.5
   */
  noStore?: boolean;
  /**
   * The ID of each request: in the header `X-Request-ID` of responses, in problem bodies, as `req.id` and through `@RequestId()`. `false`
   * for none.
   * @default on
   */
  requestId?: boolean | string | RequestIdOptions;
  /**
   * The rate limits per client, and the flood limit per address. A request over a limit gets 429 `rate_limited`. `false` for no limits;
   * `RateLimiter` remains for programmatic limiting. See docs/rate-limits.md. Environment: `RATE_LIMIT`, `REDIS_URL`.
   * @default 10/second and 100/minute per client, 100/second per address
   */
  rateLimit?: boolean | string | readonly string[] | RateLimitOptions;
  /**
   * The trusted proxies, whose forwarded headers (`X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`, `Forwarded`) give the
   * client's address, scheme and host:
   * - a number from 0 to 32: how many proxies are in front of the app
   * - addresses and networks, as a list or comma-separated: `'10.0.0.0/8'`, `'loopback'`, `'linklocal'`, `'uniquelocal'`
   * - a function `(address, hop) => boolean`
   * - an object `{ proxies, header }`, which also names the header that the proxies write
   *
   * It replaces the setting of Express or Fastify: set it here only. `true` and networks of every address stop the start-up, since every
   * client could choose its own address. Danger: with a number that is too high, clients can do the same. See docs/guides/proxies.md.
   * Environment: `TRUST_PROXY`.
   * @default false: the address of the peer; forwarded headers are ignored
   * @see RFC 7239
   */
  trustProxy?: TrustedProxies | TrustProxyOptions;
  /**
   * Error responses as `application/problem+json`. `false` leaves errors to Nest; responses before routing remain problems.
   * @default on
   * @see RFC 9457
   */
  errors?: boolean | ErrorsOptions;
  /**
   * The limits of request bodies. `false` for none; the body parser has limits of its own. See docs/input.md#bodies.
   * @default 10 MiB, JSON with 64 levels, 10000 keys and no duplicate keys
   */
  body?: boolean | number | string | BodyOptions;
  /**
   * Checks requests to MCP endpoints before routing. Without it, an endpoint is a route like any other, and its first response is logged
   * as a warning; `false` switches off this warning too. See docs/mcp.md.
   * @default off
   */
  mcp?: boolean | string | readonly string[] | McpOptions;
  /**
   * The checks of WebSocket handshakes. `rateLimit.messages` limits messages. See docs/websockets.md.
   * @default those of other requests
   */
  webSockets?: WebSocketsOptions;
  /**
   * Authenticates agents by API keys, tokens or a function of your own. Requests without a credential get 401, except on `@Public()`
   * routes. `true` reads the API keys from the environment. See docs/authentication.md. Environment: `AUTH_KEYS_FILE`, `AUTH_API_KEYS`,
   * `AUTH_KEY_SECRET`.
   * @default off
   */
  auth?: boolean | AuthOptions;
  /**
   * The policies of tools: `@AgentTool()` handlers and tools of MCP endpoints. `false` enforces none, not even what `@AgentTool()`
   * declares. See docs/tools.md.
   * @default what each tool declares
   */
  tools?: boolean | ToolsOptions;
  /**
   * Writes an audit record of each tool call. `false` writes none. See docs/audit.md. Environment: `AUDIT_FILE`, `AUDIT_KEY`.
   * @default records in Nest's log
   */
  audit?: boolean | string | AuditOptions;
  /**
   * The longest URL, and the rejection of ambiguous paths with 400 `url_invalid`: before routing, on Express and Fastify alike. `false`
   * for no check. See docs/input.md#paths.
   * @default 8192 characters, ambiguous paths rejected
   */
  url?: boolean | UrlOptions;
  /**
   * The allowed methods, in upper case; `GET` includes `HEAD`, and preflights are always answered. Other methods get 405
   * `method_not_allowed` with `Allow`. Methods that Node does not know, `TRACE`, `CONNECT` and an empty list stop the start-up.
   * @default every method but TRACE
   */
  methods?: string | readonly string[];
  /**
   * The time limits of requests, handlers and streams: a duration such as `'500ms'`, `'30s'`, `'5min'` or `'1h'`, or `false` for no
   * limit. A number without a unit stops the start-up: it could be seconds or milliseconds. A single time is short for `{ handler }`; `timeout: false` switches off all limits of the module. See
   * docs/timeouts.md.
   * @default no limit for handlers
   */
  timeout?: false | string | TimeoutOptions;
  /**
   * Collects the reports of browsers about Content-Security-Policy violations, and adds `report-to` to the policies. See
   * docs/csp-reports.md.
   * @default off
   */
  cspReports?: boolean | string | CspReportsOptions;
  /**
   * What is logged: rejected requests, at most one line per reason and client in a minute, and the start-up summary. `false` logs neither.
   * See docs/guides/logging.md.
   * @default on
   */
  logging?: boolean | 'debug' | 'log' | 'warn' | 'error' | 'none' | LoggingOptions;
  /**
   * The findings of `npx nestjs-agent-security check` that are accepted. It changes nothing in the running app. See docs/check.md.
   * @default no finding is silenced
   */
  check?: CheckOptions;
  /**
   * Metrics and traces through the API of OpenTelemetry (`npm install @opentelemetry/api`): requests by result and code, what is left of
   * limits, the latency of the shared store, the queue of the audit, MCP operations, and a span for each tool call. The SDK and the exporter
   * are the app's. See docs/telemetry.md.
   * @default off: nothing is measured
   */
  telemetry?: boolean | TelemetryOptions;
  /**
   * A page for operators: who is limited and rejected and why, tools, audit records, health and configuration, live. It needs `auth`. See
   * docs/dashboard.md.
   * @default off
   */
  dashboard?: boolean | string | DashboardOptions;
}
