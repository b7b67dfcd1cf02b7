import type { AuditOptions } from './audit/audit.options.js';
import type { AuthOptions } from './auth/auth.options.js';
import type { BodyOptions } from './body/body.options.js';
import type { TrustProxyOption } from './client-address/client-address.options.js';
import type { CorsOptions } from './cors/cors.options.js';
import type { CspReportsOptions } from './csp-reports/csp-reports.options.js';
import type { ErrorsOptions } from './errors/errors.options.js';
import type { SecurityHeadersOptions } from './headers/headers.options.js';
import type { HostsOptions } from './host/host.options.js';
import type { McpOptions } from './mcp/mcp.options.js';
import type { RateLimitOptions } from './rate-limit/rate-limit.options.js';
import type { RequestIdOptions } from './request-id/request-id.options.js';
import type { TimeoutOptions } from './time/timeout.options.js';
import type { ToolsOptions } from './tools/tools.options.js';
import type { UrlOptions } from './url/url.options.js';
import type { WebSocketsOptions } from './websockets/websockets.options.js';

/**
 * The options of `AgentSecurityModule`. `false` turns a feature off. An option overrides its environment variable, which
 * overrides the default.
 * @example
 * AgentSecurityModule.forRoot({ hosts: ['api.example.com'], rateLimit: { limits: ['100/minute'] } })
 */
export interface AgentSecurityOptions {
  /**
   * The allowed hosts of requests; a request for another host gets 421. A list is short for `{ allow }`.
   * @default ['localhost', '*.localhost', '127.0.0.1', '[::1]'] (environment: `ALLOWED_HOSTS`)
   */
  hosts?: false | readonly string[] | HostsOptions;
  /**
   * The origins whose pages may read responses and change state. A state-changing request of another origin gets 403.
   * @default no origin but the app's own (environment: `CORS_ORIGINS`, `CORS_CREDENTIALS`, `CORS_MAX_AGE`)
   */
  cors?: false | CorsOptions;
  /** The security headers of every response. @default the strict set for APIs, listed with each header below */
  headers?: false | SecurityHeadersOptions;
  /** Sends `Cache-Control: no-store` unless the handler sets Cache-Control. `@NoStore()` overrides it. @default true */
  noStore?: boolean;
  /** The ID of each request, in the header `X-Request-ID` and in problem bodies. @default on */
  requestId?: false | RequestIdOptions;
  /**
   * The rate limits per client, and the flood limit per address. A request over a limit gets 429.
   * @default 10/second and 100/minute per client, 100/second per address (environment: `RATE_LIMIT`, `REDIS_URL`)
   */
  rateLimit?: false | RateLimitOptions;
  /**
   * The trusted proxies, whose forwarded headers give the client's address, scheme and host.
   * @default none (environment: `TRUST_PROXY`)
   */
  trustProxy?: TrustProxyOption;
  /** Error responses as `application/problem+json` (RFC 9457). @default on */
  errors?: false | ErrorsOptions;
  /** The limits of request bodies. @default 10 MiB, JSON with 64 levels, 10000 keys and no duplicate keys */
  body?: false | BodyOptions;
  /** Checks requests to MCP endpoints before routing. @default off */
  mcp?: false | McpOptions;
  /** The checks of WebSocket handshakes. `rateLimit.messages` limits messages. @default those of other requests */
  webSockets?: WebSocketsOptions;
  /**
   * Authenticates agents by API keys, tokens or a function of your own. Requests without a credential get 401, except on
   * `@Public()` routes. `true` reads the API keys from the environment.
   * @default off (environment: `AUTH_KEYS_FILE`, `AUTH_API_KEYS`, `AUTH_KEY_SECRET`)
   */
  auth?: boolean | AuthOptions;
  /** The policies of tools: `@AgentTool()` handlers and tools of MCP endpoints. @default what each tool declares */
  tools?: false | ToolsOptions;
  /**
   * Writes an audit record of each tool call.
   * @default records in Nest's log (environment: `AUDIT_FILE`, `AUDIT_KEY`)
   */
  audit?: false | AuditOptions;
  /** The longest URL, and the rejection of ambiguous paths. @default 8192 characters, ambiguous paths rejected */
  url?: false | UrlOptions;
  /** The allowed methods, in upper case; `GET` includes `HEAD`. Other methods get 405. @default every method but TRACE */
  methods?: readonly string[];
  /** The time limits of requests, handlers and streams. A single time is short for `{ handler }`. @default no limit for handlers */
  timeout?: false | number | string | TimeoutOptions;
  /** Collects the reports of browsers about Content-Security-Policy violations, and adds `report-to` to the policies. @default off */
  cspReports?: boolean | CspReportsOptions;
}
