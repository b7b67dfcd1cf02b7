import { type AuditOptions, type ResolvedAudit, resolveAudit } from './audit/audit.options.js';
import { type AuthOptions, type ResolvedAuth, resolveAuth } from './auth/auth.options.js';
import { type BodyOptions, type ResolvedBody, resolveBody } from './body/body.options.js';
import {
  resolveTrustProxy,
  type TrustFunction,
  type TrustProxyOption,
} from './client-address/client-address.options.js';
import {
  isRecord,
  readBoolean,
  type ReadEnvironment,
  readGiven,
  readObject,
  receivedError,
} from './common/read-options.js';
import { type CorsOptions, type ResolvedCors, resolveCors } from './cors/cors.options.js';
import {
  type CspReportsOptions,
  type ResolvedCspReports,
  resolveCspReports,
} from './csp-reports/csp-reports.options.js';
import { type ErrorsOptions, type ResolvedErrors, resolveErrors } from './errors/errors.options.js';
import { readHeadersInput, resolveHeaders, type SecurityHeadersOptions } from './headers/headers.options.js';
import { type HostsOptions, type ResolvedHosts, resolveHosts } from './host/host.options.js';
import { type McpOptions, type ResolvedMcp, resolveMcp } from './mcp/mcp.options.js';
import {
  type RateLimitOptions,
  type ResolvedRateLimit,
  resolveRateLimit,
} from './rate-limit/rate-limit.options.js';
import {
  type RequestIdOptions,
  type ResolvedRequestId,
  resolveRequestId,
} from './request-id/request-id.options.js';
import { type ResolvedTools, resolveTools, type ToolsOptions } from './tools/tools.options.js';
import { type ResolvedTimeout, resolveTimeout, type TimeoutOptions } from './time/timeout.options.js';
import { type ResolvedUrl, resolveUrl, type UrlOptions } from './url/url.options.js';
import { type ResolvedMethods, resolveMethods } from './verb/methods.options.js';
import {
  type ResolvedWebSockets,
  resolveWebSockets,
  type WebSocketsOptions,
} from './websockets/websockets.options.js';

/** Options of `AgentSecurityModule`. A feature that is set to `false` is off. Options win over the environment, the environment over defaults. */
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

export interface ResolvedOptions {
  readonly hosts: ResolvedHosts | false;
  readonly cors: ResolvedCors | false;
  /** As given: routes lay their own over it. */
  readonly headers: SecurityHeadersOptions | false;
  readonly noStore: boolean;
  readonly requestId: ResolvedRequestId | false;
  readonly rateLimit: ResolvedRateLimit | false;
  readonly trustProxy: TrustFunction | undefined;
  readonly errors: ResolvedErrors | false;
  readonly body: ResolvedBody | false;
  /** `undefined` where the option is not set. */
  readonly mcp: ResolvedMcp | false | undefined;
  readonly webSockets: ResolvedWebSockets;
  readonly tools: ResolvedTools | false;
  readonly audit: ResolvedAudit | false;
  readonly url: ResolvedUrl | false;
  readonly methods: ResolvedMethods | undefined;
  readonly timeout: ResolvedTimeout | false;
  readonly cspReports: ResolvedCspReports | false;
  readonly auth: ResolvedAuth | false;
}

const KNOWN = [
  'hosts',
  'cors',
  'headers',
  'noStore',
  'requestId',
  'rateLimit',
  'trustProxy',
  'errors',
  'body',
  'mcp',
  'webSockets',
  'tools',
  'audit',
  'url',
  'methods',
  'timeout',
  'cspReports',
  'auth',
] as const;

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
  const headers = readHeadersInput('headers', options.headers);
  if (headers !== false) resolveHeaders('headers', headers);
  const requestId = resolveRequestId(options.requestId);
  const auth = resolveAuth(options.auth, env);
  return {
    hosts: resolveHosts(options.hosts, env),
    cors: resolveCors(options.cors, env, requestId === false ? undefined : requestId.header),
    headers,
    noStore: readBoolean('noStore', options.noStore, true),
    requestId,
    rateLimit: resolveRateLimit(options.rateLimit, env, auth !== false),
    trustProxy: resolveTrustProxy(options.trustProxy, env),
    errors: resolveErrors(options.errors),
    body: resolveBody(options.body),
    mcp: resolveMcp(options.mcp),
    webSockets: resolveWebSockets(options.webSockets),
    tools: resolveTools(options.tools),
    audit: resolveAudit(options.audit, env),
    url: resolveUrl(options.url),
    methods: resolveMethods(options.methods),
    timeout: resolveTimeout(options.timeout),
    cspReports: resolveCspReports(options.cspReports),
    auth,
  };
}
