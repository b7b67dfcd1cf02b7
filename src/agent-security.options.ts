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

/**
 * Options of `AgentSecurityModule`. A feature that is set to `false` is off. Options win over the environment, the
 * environment over defaults.
 */
export interface AgentSecurityOptions {
  /** The hosts that requests may name. Environment: `ALLOWED_HOSTS`. @default loopback names */
  hosts?: false | readonly string[] | HostsOptions;
  /** Which origins may read answers and change state. Environment: `CORS_ORIGINS`, `CORS_CREDENTIALS`, `CORS_MAX_AGE`. @default none */
  cors?: false | CorsOptions;
  /** Security headers on every response. @default the strict API set */
  headers?: false | SecurityHeadersOptions;
  /** `Cache-Control: no-store` unless the handler chose. @default true */
  noStore?: boolean;
  /** An ID for each request. @default X-Request-ID */
  requestId?: false | RequestIdOptions;
  /** Limits per client, and the flood limit per address. Environment: `RATE_LIMIT`. @default 10/second and 100/minute */
  rateLimit?: false | RateLimitOptions;
  /** Which proxies may speak for their clients. Environment: `TRUST_PROXY`. @default none */
  trustProxy?: TrustProxyOption;
  /** Errors as problem+json. @default on */
  errors?: false | ErrorsOptions;
  /** Bounds on request bodies. @default 10 MiB, JSON 64 levels deep, no key twice */
  body?: false | BodyOptions;
  /** MCP endpoints, judged before routing. @default off */
  mcp?: false | McpOptions;
  /** Handshakes of WebSockets; their messages are limited by `rateLimit.messages`. @default as every other request */
  webSockets?: WebSocketsOptions;
  /** A verified agent behind each request. `true` takes all of it from the environment. @default off */
  auth?: boolean | AuthOptions;
  /** Who may call the tools that `@AgentTool()` and MCP endpoints offer. @default what each tool declares */
  tools?: false | ToolsOptions;
  /** Calls of tools on record. Environment: `AUDIT_FILE`, `AUDIT_KEY`. @default in Nest's log */
  audit?: false | AuditOptions;
  /** Bounds on URLs, and no path that two readers take for different ones. @default 8192 characters */
  url?: false | UrlOptions;
  /** The methods that the app answers; others get 405. @default every method but TRACE */
  methods?: readonly string[];
  /** How long requests may take to come, handlers to answer, and streams to be silent. @default none for handlers */
  timeout?: false | number | string | TimeoutOptions;
  /** Collects browsers' reports of violated policies, and asks for them in the policies. @default off */
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
