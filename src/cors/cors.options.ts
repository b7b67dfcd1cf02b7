import { AgentSecurityConfigError } from '../common/config-error.js';
import { isToken } from '../common/http-request.js';
import {
  boolean,
  seconds,
  words,
  expandShort,
  type OptionTable,
  orVariable,
  readTable,
  type ReadOption,
} from '../common/option-table.js';
import {
  readBooleanVariable,
  type ReadEnvironment,
  readIntegerVariable,
  readListVariable,
  readTextList,
  receivedError,
} from '../common/read-options.js';
import { FOREIGN_CORS, originRemedy } from './cors-names.js';
import { FILE_ORIGIN, type OriginPatterns, resolveOriginPatterns } from './origin.js';

/**
 * Cross-origin resource sharing: which origins may read responses and change state.
 * @example
 * AgentSecurityModule.forRoot({ cors: { origins: ['https://app.example.com'], credentials: true } })
 */
export interface CorsOptions {
  /**
   * The origins whose pages may read responses and change state, exactly as browsers send them: `https://app.example.com` (with a port
   * only if it is not the default), or `https://*.example.com` for every subdomain. `'*'` (or `['*']`) allows every origin. Paths, a
   * trailing slash, wildcards over a top-level domain or an address, and `'*'` together with other origins or with `credentials` stop the
   * start-up.
   *
   * Apps have origins of their own schemes: `app://.`, `tauri://localhost`, `chrome-extension://…`, `safari-web-extension://…`.
   *
   * Danger: `'*'` makes the data of the whole app public, and pages of every origin may change state. `'null'` allows every sandboxed
   * page and every local file, and must be listed to be allowed. Environment: `CORS_ORIGINS`.
   * @default []
   */
  origins?: string | readonly string[];
  /**
   * Allows the origin `file://`, which WebViews of Android, Cordova and Electron send for pages of their file system. Every local file has
   * it, such as one that another app has saved. With `credentials` it stops the start-up. Better: let the WebView load its pages from a
   * scheme of its own (`app://-`).
   * @default false
   */
  insecureFileOrigin?: boolean;
  /**
   * Sends `Access-Control-Allow-Credentials: true`, which lets pages of allowed origins send cookies and TLS client certificates. An
   * `Authorization` or `X-API-Key` header that a script sets does not need it. Environment: `CORS_CREDENTIALS`.
   * @default false
   */
  credentials?: boolean;
  /**
   * The methods that a preflight grants. They are case-sensitive: lower case, `CONNECT`, `TRACE` and `TRACK` stop the start-up.
   * @default `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`
   */
  methods?: string | readonly string[];
  /**
   * The request headers that a preflight grants. A list replaces the default list, which also contains `requestId.header`. Headers that
   * scripts may not set (`Cookie`, `Host`, `Sec-*`, …) stop the start-up, and so does `'*'` with credentials, which browsers read as a
   * name.
   *
   * Note: `'*'` never covers `Authorization`.
   * @default `Authorization`, `Content-Type`, `Accept`, `Cache-Control`, `X-API-Key`, `X-Request-ID`, `Idempotency-Key`, `Last-Event-ID`,
   * `traceparent`, `tracestate`, `Mcp-Session-Id`, `MCP-Protocol-Version`, `Mcp-Method`, `Mcp-Name`
   */
  allowedHeaders?: string | readonly string[];
  /**
   * The response headers that scripts may read. A list replaces the default list. `Set-Cookie`, which scripts may not read, and `'*'`
   * with credentials stop the start-up.
   * @default the request ID's header, `X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset`, `RateLimit`, `RateLimit-Policy`,
   * `Retry-After`, `WWW-Authenticate`, `X-Token-Expired`, `Mcp-Session-Id`
   */
  exposedHeaders?: string | readonly string[];
  /**
   * How long a browser may cache a preflight, from 0 seconds to a day: a number of seconds, or a duration. Browsers cap it: WebKit at 600, Chromium at 7200, Firefox at 86400.
   * Environment: `CORS_MAX_AGE`.
   * @default 600
   */
  maxAge?: number | string;
}

export interface ResolvedCors extends OriginPatterns {
  readonly anyOrigin: boolean;
  /** Whether responses differ by origin, so that they carry `Vary: Origin`. */
  readonly varies: boolean;
  readonly credentials: boolean;
  /** Header values, ready to send. */
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAge: string;
}

const DEFAULT_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

const DEFAULT_ALLOWED_HEADERS = [
  'Authorization',
  'Content-Type',
  'Accept',
  'Cache-Control',
  'X-API-Key',
  'X-Request-ID',
  'Idempotency-Key',
  'Last-Event-ID',
  'traceparent',
  'tracestate',
  'Mcp-Session-Id',
  'MCP-Protocol-Version',
  'Mcp-Method',
  'Mcp-Name',
];

const DEFAULT_EXPOSED_HEADERS = [
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'WWW-Authenticate',
  'X-Token-Expired',
  'Mcp-Session-Id',
];

/** WebKit caches a preflight for 600 s, Chromium for 7200 s, Firefox for 86400 s. */
const MAX_AGE = { min: 0, max: 86_400 };

/** Headers and methods that the Fetch standard forbids scripts to set or to read. */
const FORBIDDEN_REQUEST_HEADER =
  /^(?:proxy-|sec-|(?:accept-charset|accept-encoding|access-control-request-(?:headers|method|private-network)|connection|content-length|cookie2?|date|dnt|expect|host|keep-alive|origin|referer|set-cookie|te|trailer|transfer-encoding|upgrade|via)$)/i;
const FORBIDDEN_RESPONSE_HEADER = /^set-cookie2?$/i;
const FORBIDDEN_METHOD = /^(?:CONNECT|TRACE|TRACK)$/i;

/** `checkHeaderNames()` reads it. */
const asText: ReadOption<string> = (_option, value) => value as string;

const tableOf = (env: ReadEnvironment, requestIdHeader: string | undefined) =>
  ({
    origins: (option, value) => readOrigins(option, value, env),
    insecureFileOrigin: boolean(false),
    credentials: orVariable(boolean(false), () => readBooleanVariable(env, 'CORS_CREDENTIALS')),
    methods: words(readMethod, DEFAULT_METHODS),
    allowedHeaders: words(asText, [
      ...DEFAULT_ALLOWED_HEADERS,
      ...(requestIdHeader === undefined || /^x-request-id$/i.test(requestIdHeader) ? [] : [requestIdHeader]),
    ]),
    exposedHeaders: words(asText, [
      ...(requestIdHeader === undefined ? [] : [requestIdHeader]),
      ...DEFAULT_EXPOSED_HEADERS,
    ]),
    maxAge: orVariable(seconds(600, MAX_AGE.min, MAX_AGE.max), () =>
      readIntegerVariable(env, 'CORS_MAX_AGE', MAX_AGE),
    ),
  }) satisfies OptionTable<CorsOptions>;

/** The resolved option. Where the app has verbs, preflights grant the header of `@Verb()`. `false` where CORS is off. */
export const RESOLVED_CORS = Symbol('agent-security:resolved-cors');

export function resolveCors(
  input: unknown,
  env: ReadEnvironment,
  requestIdHeader: string | undefined,
): ResolvedCors | false {
  if (input === false) return false;
  if (input === true || typeof input === 'function')
    throw receivedError(
      'ASEC_OPTION_TYPE',
      'cors',
      'must be an object, a list of origins or false',
      'Write cors: ["https://app.example.com"]. For pages of every site, without credentials: cors: "*".',
      input,
    );
  const { origins, insecureFileOrigin, credentials, methods, allowedHeaders, exposedHeaders, maxAge } =
    readTable('cors', expandShort(input, 'origins'), tableOf(env, requestIdHeader), FOREIGN_CORS);
  checkHeaderNames('cors.allowedHeaders', allowedHeaders, FORBIDDEN_REQUEST_HEADER, credentials);
  checkHeaderNames('cors.exposedHeaders', exposedHeaders, FORBIDDEN_RESPONSE_HEADER, credentials);
  const anyOrigin = origins.listed.includes('*');
  if (anyOrigin && credentials) {
    throw new AgentSecurityConfigError(
      'ASEC_CORS_ANY_WITH_CREDENTIALS',
      origins.option,
      'must not be "*" together with credentials: any site could act as the signed-in user',
      'List the origins, or leave credentials off (an Authorization header does not need them).',
    );
  }
  if (insecureFileOrigin && credentials) {
    throw new AgentSecurityConfigError(
      'ASEC_ORIGIN_INVALID',
      'cors.insecureFileOrigin',
      'must not be set together with credentials: every local file could act as the signed-in user',
      'Remove it, or leave credentials off.',
    );
  }
  const { exact, suffixes } = resolveOriginPatterns(origins.option, origins.listed, credentials);
  return {
    anyOrigin,
    varies: !anyOrigin,
    exact: insecureFileOrigin ? new Set([...exact, FILE_ORIGIN]) : exact,
    suffixes,
    credentials,
    allowMethods: methods.join(', '),
    allowHeaders: allowedHeaders.join(', '),
    exposeHeaders: exposedHeaders.join(', '),
    maxAge: String(maxAge),
  };
}

/** The listed origins, and the option or variable that they come from. */
function readOrigins(
  option: string,
  value: unknown,
  env: ReadEnvironment,
): { readonly option: string; readonly listed: readonly string[] } {
  const variable = value === undefined ? readListVariable(env, 'CORS_ORIGINS') : undefined;
  if (variable !== undefined) return { option: 'CORS_ORIGINS', listed: variable };
  if (value === undefined || typeof value === 'string' || Array.isArray(value))
    return { option, listed: readTextList(option, value, []) };
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be an origin or a list of origins',
    originRemedy(value),
    value,
  );
}

function readMethod(option: string, value: unknown): string {
  const method = value as string;
  if (isToken(method) && !FORBIDDEN_METHOD.test(method) && method === method.toUpperCase()) return method;
  throw receivedError(
    'ASEC_CORS_METHOD',
    option,
    'must be a method that scripts may use',
    'Write it in upper case, such as "PATCH": methods are case-sensitive.',
    method,
  );
}

function checkHeaderNames(
  option: string,
  names: readonly string[],
  forbidden: RegExp,
  credentials: boolean,
): void {
  for (const [index, name] of names.entries()) {
    const wildcardWithCredentials = name === '*' && credentials;
    if (isToken(name) && !forbidden.test(name) && !wildcardWithCredentials) continue;
    throw receivedError(
      'ASEC_CORS_HEADER',
      `${option}[${index}]`,
      'must be a header name that scripts may use',
      wildcardWithCredentials
        ? 'With credentials, browsers read "*" as a header of that name. List the headers.'
        : 'Remove it: the Fetch standard keeps this header from scripts.',
      name,
    );
  }
}
