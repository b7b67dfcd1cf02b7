import { isIPv4 } from 'node:net';
import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  readBoolean,
  readBooleanVariable,
  type ReadEnvironment,
  readInteger,
  readIntegerVariable,
  readListVariable,
  readObject,
  readStringList,
  receivedError,
} from '../common/read-options.js';
import { readOrigin } from './origin.js';

export interface CorsOptions {
  /**
   * Origins whose pages may read responses and change state, exactly as browsers send them (`https://app.example.com`, a port only if
   * it is not the default), or `https://*.example.com` for every subdomain. `'*'` is for public data: it makes the data of the whole
   * app public. Paths, a trailing slash, wildcards over a whole top-level domain or an address, and `'*'` beside other origins or with
   * `credentials` stop the start-up.
   *
   * Danger: `'null'` is every sandboxed page and local file anywhere; it is rejected unless listed. With `'*'`, requests of any page
   * may change state. Environment: `CORS_ORIGINS`.
   * @default []
   */
  origins?: readonly string[] | '*';
  /**
   * Lets pages of allowed origins send cookies and TLS certificates. An `Authorization` or `X-API-Key` header does not need it.
   * Environment: `CORS_CREDENTIALS`.
   * @default false
   */
  credentials?: boolean;
  /**
   * The methods that a preflight grants. They are case-sensitive: lower case stops the start-up, and so do `CONNECT`, `TRACE` and
   * `TRACK`.
   * @default `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`
   */
  methods?: readonly string[];
  /**
   * The request headers that a preflight grants, in place of the default list. Headers that no script may set (`Cookie`, `Host`,
   * `Sec-*`, …) stop the start-up, and so does `'*'` with credentials, which browsers read as a name. `requestId.header` is part of the
   * default.
   *
   * Note: `'*'` never covers `Authorization`.
   * @default `Authorization`, `Content-Type`, `Accept`, `Cache-Control`, `X-API-Key`, `X-Request-ID`, `Idempotency-Key`,
   * `Last-Event-ID`, `traceparent`, `tracestate`, `Mcp-Session-Id`, `MCP-Protocol-Version`, `Mcp-Method`, `Mcp-Name`
   */
  allowedHeaders?: readonly string[];
  /**
   * The response headers that pages may read, in place of the default list. `Set-Cookie`, which no script may read, and `'*'` with
   * credentials stop the start-up.
   * @default the request ID's header, `X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset`, `RateLimit`,
   * `RateLimit-Policy`, `Retry-After`, `WWW-Authenticate`, `X-Token-Expired`, `Mcp-Session-Id`
   */
  exposedHeaders?: readonly string[];
  /**
   * How many seconds a browser may remember a preflight, from 0 to 86400. Browsers cap it: WebKit at 600, Chromium at 7200, Firefox at
   * 86400. Environment: `CORS_MAX_AGE`.
   * @default 600
   */
  maxAge?: number;
}

export interface ResolvedCors {
  readonly anyOrigin: boolean;
  /** Where each answer could differ by origin, so that caches must know. */
  readonly varies: boolean;
  readonly exact: ReadonlySet<string>;
  /** `"https://example.com"` for `https://*.example.com`, with its port if it has one. */
  readonly suffixes: ReadonlySet<string>;
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

/** WebKit keeps a preflight 600 s, Chromium 7200 s, Firefox 86400 s; more is never used. */
const MAX_AGE = { min: 0, max: 86_400 };

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Never readable, or never settable, by a script (Fetch standard), so that listing them is a misunderstanding. */
const FORBIDDEN_REQUEST_HEADER =
  /^(?:proxy-|sec-|(?:accept-charset|accept-encoding|access-control-request-(?:headers|method|private-network)|connection|content-length|cookie2?|date|dnt|expect|host|keep-alive|origin|referer|set-cookie|te|trailer|transfer-encoding|upgrade|via)$)/i;
const FORBIDDEN_RESPONSE_HEADER = /^set-cookie2?$/i;
const FORBIDDEN_METHOD = /^(?:CONNECT|TRACE|TRACK)$/i;

export function resolveCors(
  input: unknown,
  env: ReadEnvironment,
  requestIdHeader: string | undefined,
): ResolvedCors | false {
  if (input === false) return false;
  const options = readObject('cors', input, [
    'origins',
    'credentials',
    'methods',
    'allowedHeaders',
    'exposedHeaders',
    'maxAge',
  ]);
  const fromEnvironment = options.origins === undefined ? readListVariable(env, 'CORS_ORIGINS') : undefined;
  const option = fromEnvironment ? 'CORS_ORIGINS' : 'cors.origins';
  const given = options.origins === undefined ? fromEnvironment : options.origins;
  const origins = given === '*' ? ['*'] : readStringList(option, given, []);
  const anyOrigin = origins.includes('*');
  const credentials = readBoolean(
    'cors.credentials',
    options.credentials === undefined ? readBooleanVariable(env, 'CORS_CREDENTIALS') : options.credentials,
    false,
  );
  if (anyOrigin && credentials) {
    throw new AgentSecurityConfigError(
      'ASEC_CORS_ANY_WITH_CREDENTIALS',
      option,
      'must not be "*" together with credentials: any site could act as the signed-in user',
      'List the origins, or leave credentials off (an Authorization header does not need them).',
    );
  }
  if (credentials && origins.includes('null')) {
    throw originError(
      option,
      given,
      'must not list "null" together with credentials: every sandboxed page could act as the signed-in user',
      'Remove "null", or leave credentials off.',
    );
  }
  if (anyOrigin && origins.length > 1) {
    throw originError(option, origins, 'must be "*" alone or a list of origins', 'Remove one of the two.');
  }
  const exact = new Set<string>();
  const suffixes = new Set<string>();
  if (!anyOrigin) {
    for (const [index, origin] of origins.entries())
      addOrigin(`${option}[${index}]`, origin, exact, suffixes);
  }
  const methods = readStringList('cors.methods', options.methods, DEFAULT_METHODS);
  const allowedHeaders = readStringList('cors.allowedHeaders', options.allowedHeaders, [
    ...DEFAULT_ALLOWED_HEADERS,
    ...extraRequestId(requestIdHeader),
  ]);
  const exposedHeaders = readStringList('cors.exposedHeaders', options.exposedHeaders, [
    ...(requestIdHeader === undefined ? [] : [requestIdHeader]),
    ...DEFAULT_EXPOSED_HEADERS,
  ]);
  checkMethods(methods);
  checkHeaderNames('cors.allowedHeaders', allowedHeaders, FORBIDDEN_REQUEST_HEADER, credentials);
  checkHeaderNames('cors.exposedHeaders', exposedHeaders, FORBIDDEN_RESPONSE_HEADER, credentials);
  return {
    anyOrigin,
    varies: !anyOrigin,
    exact,
    suffixes,
    credentials,
    allowMethods: methods.join(', '),
    allowHeaders: allowedHeaders.join(', '),
    exposeHeaders: exposedHeaders.join(', '),
    maxAge: String(
      readInteger(
        'cors.maxAge',
        options.maxAge === undefined ? readIntegerVariable(env, 'CORS_MAX_AGE', MAX_AGE) : options.maxAge,
        600,
        MAX_AGE,
      ),
    ),
  };
}

const extraRequestId = (header: string | undefined): readonly string[] =>
  header === undefined || header.toLowerCase() === 'x-request-id' ? [] : [header];

function addOrigin(option: string, origin: string, exact: Set<string>, suffixes: Set<string>): void {
  if (origin === 'null') {
    exact.add(origin);
    return;
  }
  const wildcard = /^([a-z][a-z0-9+.-]*:\/\/)\*\.(.*)$/i.exec(origin);
  const written = wildcard ? wildcard[1]! + wildcard[2]! : origin;
  const parsed =
    readOrigin(written) ??
    readOrigin(written.toLowerCase().replace(/^(http:.*):80$|^(https:.*):443$/, '$1$2'));
  if (parsed === undefined) {
    throw originError(
      option,
      origin,
      'is not an origin as browsers send it',
      'Write "https://app.example.com": a scheme, a host, a port only if it is not the default, and nothing behind them.',
    );
  }
  const { scheme, name, port } = parsed;
  // A last label of digits makes a browser read the whole name as an IPv4 address (WHATWG URL, "ends in a number").
  if (/(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(name) && !isIPv4(name)) {
    throw originError(
      option,
      origin,
      'is an address that no browser sends',
      'Write all four numbers of the address.',
    );
  }
  const ownDomain = name.includes('.') || name === 'localhost';
  if (wildcard && (name.startsWith('[') || isIPv4(name) || !ownDomain)) {
    throw receivedError(
      'ASEC_ORIGIN_WILDCARD',
      option,
      "must not cover everybody's hosts or an address",
      'Put the wildcard in front of a domain of your own: "https://*.example.com".',
      origin,
    );
  }
  (wildcard ? suffixes : exact).add(`${scheme}://${name}${port === undefined ? '' : `:${port}`}`);
}

function originError(
  option: string,
  received: unknown,
  problem: string,
  remedy: string,
): AgentSecurityConfigError {
  return receivedError('ASEC_ORIGIN_INVALID', option, problem, remedy, received);
}

function checkMethods(methods: readonly string[]): void {
  for (const [index, method] of methods.entries()) {
    if (TOKEN.test(method) && !FORBIDDEN_METHOD.test(method) && method === method.toUpperCase()) continue;
    throw receivedError(
      'ASEC_CORS_METHOD',
      `cors.methods[${index}]`,
      'must be a method that scripts may use',
      'Write it in upper case, such as "PATCH": methods are compared with their case.',
      method,
    );
  }
}

function checkHeaderNames(
  option: string,
  names: readonly string[],
  forbidden: RegExp,
  credentials: boolean,
): void {
  for (const [index, name] of names.entries()) {
    const wildcardWithCredentials = name === '*' && credentials;
    if (TOKEN.test(name) && !forbidden.test(name) && !wildcardWithCredentials) continue;
    throw receivedError(
      'ASEC_CORS_HEADER',
      `${option}[${index}]`,
      'must be a header name that scripts may use',
      wildcardWithCredentials
        ? 'With credentials, browsers read "*" as a header of that name. List the headers.'
        : 'Remove it: browsers keep this header to themselves.',
      name,
    );
  }
}
