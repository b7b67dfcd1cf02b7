import { AgentSecurityConfigError } from '../common/config-error.js';
import { readBoolean, readChoice, readInteger, readObject } from '../common/read-options.js';
import {
  API_DIRECTIVES,
  type ContentSecurityPolicyDirectives,
  type ContentSecurityPolicyOptions,
  HTML_DIRECTIVES,
  resolvePolicy,
} from './content-security-policy.js';
import { resolvePermissionsPolicy } from './permissions-policy.js';
import { resolveReportingEndpoints } from './reporting-endpoints.js';

type PolicyOption = boolean | ContentSecurityPolicyDirectives | ContentSecurityPolicyOptions;

/**
 * For each header `false` leaves it out, `true` sends its default, an object its settings. They are on every response; a header that a
 * handler sets itself is left alone.
 *
 * Content security policies take directives (`{ scriptSrc: "'self'" }`, also written `'script-src'`) or `{ directives, reportOnly,
 * useDefaults }`. Given directives are merged over the option's defaults; `false` removes one, `true` sends one without a value. A `;`
 * or `,` in a source stops the start-up, and so does a keyword without its quotes (`self`), which would name a host. Note: `base-uri`,
 * `form-action` and `frame-ancestors` do not inherit from `default-src`.
 */
export interface SecurityHeadersOptions {
  /**
   * The `Content-Security-Policy` of every response that is not HTML.
   * @default `default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
   */
  contentSecurityPolicy?: PolicyOption;
  /** `Content-Security-Policy-Report-Only`: a second policy beside the enforced one, which only reports. @default false */
  contentSecurityPolicyReportOnly?: PolicyOption;
  /**
   * The `Content-Security-Policy` of HTML, by the `Content-Type` that is sent. For an app with pages of its own: `true` sends
   * `default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'`, and directives are merged
   * over that. Without it HTML gets the policy of data: an API that answers a text as HTML must not run what the text says.
   * @default the policy of everything else
   */
  htmlContentSecurityPolicy?: PolicyOption;
  /** `Cross-Origin-Embedder-Policy`. @default false */
  crossOriginEmbedderPolicy?: boolean | { policy?: 'require-corp' | 'credentialless' | 'unsafe-none' };
  /** `Cross-Origin-Opener-Policy`. @default `same-origin` */
  crossOriginOpenerPolicy?:
    | boolean
    | { policy?: 'same-origin' | 'same-origin-allow-popups' | 'noopener-allow-popups' | 'unsafe-none' };
  /** `Cross-Origin-Resource-Policy`. Responses to an allowed CORS origin send `cross-origin`. @default `same-origin` */
  crossOriginResourcePolicy?: boolean | { policy?: 'same-origin' | 'same-site' | 'cross-origin' };
  /** Sends `Origin-Agent-Cluster: ?1`. @default false */
  originAgentCluster?: boolean;
  /**
   * `Permissions-Policy`: features by name, each `[]` (off), `'self'`, `'*'` or origins. Features that are not named stay off:
   * `accelerometer`, `bluetooth`, `camera`, `display-capture`, `geolocation`, `gyroscope`, `hid`, `magnetometer`, `microphone`, `midi`,
   * `payment`, `publickey-credentials-get`, `screen-wake-lock`, `serial`, `usb`, `xr-spatial-tracking`.
   * @default powerful features off
   */
  permissionsPolicy?: boolean | Readonly<Record<string, string | readonly string[]>>;
  /** `Referrer-Policy`: one policy or several. @default `no-referrer` */
  referrerPolicy?: boolean | { policy?: string | readonly string[] };
  /** `Reporting-Endpoints`: names of endpoints and their URLs, for `report-to`. @default none @see Reporting API */
  reportingEndpoints?: false | Readonly<Record<string, string>>;
  /**
   * `Strict-Transport-Security`, sent over HTTPS only (RFC 6797 section 7.2). The client's own connection counts, read through trusted
   * proxies: behind a proxy that terminates TLS it needs `trustProxy`. `preload` needs `includeSubDomains` and a `maxAge` of at least a
   * year, and is a commitment that takes months to undo.
   * @default `max-age=31536000; includeSubDomains`
   */
  strictTransportSecurity?: boolean | { maxAge?: number; includeSubDomains?: boolean; preload?: boolean };
  /** `X-Content-Type-Options`. @default `nosniff` */
  xContentTypeOptions?: boolean;
  /** `X-DNS-Prefetch-Control`. @default `off` */
  xDnsPrefetchControl?: boolean | { allow?: boolean };
  /** Sends `X-Download-Options: noopen`. @default false */
  xDownloadOptions?: boolean;
  /** `X-Frame-Options`. @default `DENY` */
  xFrameOptions?: boolean | { action?: 'deny' | 'sameorigin' };
  /** `X-Permitted-Cross-Domain-Policies`. @default false */
  xPermittedCrossDomainPolicies?:
    boolean | { permittedPolicies?: 'none' | 'master-only' | 'by-content-type' | 'all' };
  /** Removes `X-Powered-By`. @default true */
  xPoweredBy?: boolean;
  /** Sends `X-XSS-Protection: 0`. @default false */
  xXssProtection?: boolean;
}

export type HeaderPair = readonly [name: string, value: string];

export interface ResolvedHeaders {
  /** Sent on every response, HSTS not among them. */
  readonly common: readonly HeaderPair[];
  /** Content security policies of responses that are not HTML, and of those that are. */
  readonly policies: readonly HeaderPair[];
  readonly htmlPolicies: readonly HeaderPair[];
  readonly strictTransportSecurity: string | undefined;
  readonly removePoweredBy: boolean;
}

const KNOWN: readonly (keyof SecurityHeadersOptions)[] = [
  'contentSecurityPolicy',
  'contentSecurityPolicyReportOnly',
  'htmlContentSecurityPolicy',
  'crossOriginEmbedderPolicy',
  'crossOriginOpenerPolicy',
  'crossOriginResourcePolicy',
  'originAgentCluster',
  'permissionsPolicy',
  'referrerPolicy',
  'reportingEndpoints',
  'strictTransportSecurity',
  'xContentTypeOptions',
  'xDnsPrefetchControl',
  'xDownloadOptions',
  'xFrameOptions',
  'xPermittedCrossDomainPolicies',
  'xPoweredBy',
  'xXssProtection',
];

/** Where the module's headers are off, a route's own start from nothing. */
export const HEADERS_OFF: SecurityHeadersOptions = {
  contentSecurityPolicy: false,
  htmlContentSecurityPolicy: false,
  crossOriginOpenerPolicy: false,
  crossOriginResourcePolicy: false,
  permissionsPolicy: false,
  referrerPolicy: false,
  strictTransportSecurity: false,
  xContentTypeOptions: false,
  xDnsPrefetchControl: false,
  xFrameOptions: false,
  xPoweredBy: false,
};

const REFERRER_POLICIES = [
  'no-referrer',
  'no-referrer-when-downgrade',
  'same-origin',
  'origin',
  'strict-origin',
  'origin-when-cross-origin',
  'strict-origin-when-cross-origin',
  'unsafe-url',
];

export function readHeadersInput(option: string, input: unknown): SecurityHeadersOptions | false {
  if (input === false) return false;
  return readObject(option, input, KNOWN) as SecurityHeadersOptions;
}

/** The route's options laid over the module's, key by key. */
export function overlayHeaders(
  base: SecurityHeadersOptions,
  over: SecurityHeadersOptions,
): SecurityHeadersOptions {
  return { ...base, ...over };
}

export function resolveHeaders(option: string, input: SecurityHeadersOptions): ResolvedHeaders {
  const pairs: HeaderPair[] = [];
  const name = (key: keyof SecurityHeadersOptions): string => `${option}.${key}`;
  const flag = (
    key: 'xContentTypeOptions' | 'originAgentCluster' | 'xDownloadOptions' | 'xXssProtection',
    on: boolean,
  ) => readBoolean(name(key), input[key], on);
  const chosen = <T extends string>(
    key: keyof SecurityHeadersOptions,
    member: string,
    allowed: readonly T[],
    fallback: T,
    on: boolean,
  ): T | undefined => {
    const settings = readSettings(name(key), input[key], [member], on);
    return settings && readChoice(`${name(key)}.${member}`, settings[member], allowed, fallback);
  };
  const add = (header: string, value: string | undefined): void => {
    if (value !== undefined) pairs.push([header, value]);
  };

  if (flag('xContentTypeOptions', true)) add('X-Content-Type-Options', 'nosniff');
  add(
    'X-Frame-Options',
    chosen('xFrameOptions', 'action', ['deny', 'sameorigin'], 'deny', true)?.toUpperCase(),
  );
  add('Referrer-Policy', resolveReferrerPolicy(name('referrerPolicy'), input.referrerPolicy));
  add('Permissions-Policy', resolvePermissionsPolicy(name('permissionsPolicy'), input.permissionsPolicy));
  add(
    'Cross-Origin-Opener-Policy',
    chosen(
      'crossOriginOpenerPolicy',
      'policy',
      ['same-origin', 'same-origin-allow-popups', 'noopener-allow-popups', 'unsafe-none'],
      'same-origin',
      true,
    ),
  );
  add(
    'Cross-Origin-Resource-Policy',
    chosen(
      'crossOriginResourcePolicy',
      'policy',
      ['same-origin', 'same-site', 'cross-origin'],
      'same-origin',
      true,
    ),
  );
  add(
    'Cross-Origin-Embedder-Policy',
    chosen(
      'crossOriginEmbedderPolicy',
      'policy',
      ['require-corp', 'credentialless', 'unsafe-none'],
      'require-corp',
      false,
    ),
  );
  const prefetch = readSettings(name('xDnsPrefetchControl'), input.xDnsPrefetchControl, ['allow'], true);
  if (prefetch) {
    const allow = readBoolean(`${name('xDnsPrefetchControl')}.allow`, prefetch['allow'], false);
    add('X-DNS-Prefetch-Control', allow ? 'on' : 'off');
  }
  if (flag('originAgentCluster', false)) add('Origin-Agent-Cluster', '?1');
  if (flag('xDownloadOptions', false)) add('X-Download-Options', 'noopen');
  add(
    'X-Permitted-Cross-Domain-Policies',
    chosen(
      'xPermittedCrossDomainPolicies',
      'permittedPolicies',
      ['none', 'master-only', 'by-content-type', 'all'],
      'none',
      false,
    ),
  );
  if (flag('xXssProtection', false)) add('X-XSS-Protection', '0');
  add('Reporting-Endpoints', resolveReportingEndpoints(name('reportingEndpoints'), input.reportingEndpoints));

  const policy = (key: 'contentSecurityPolicy' | 'htmlContentSecurityPolicy'): HeaderPair[] => {
    const defaults = key === 'contentSecurityPolicy' ? API_DIRECTIVES : HTML_DIRECTIVES;
    const resolved = resolvePolicy(name(key), input[key], defaults);
    return resolved ? [[resolved.reportOnly ? REPORT_ONLY : ENFORCED, resolved.text]] : [];
  };
  const reported = resolvePolicy(
    name('contentSecurityPolicyReportOnly'),
    input.contentSecurityPolicyReportOnly ?? false,
    {},
  );
  const reportOnly: HeaderPair[] = reported ? [[REPORT_ONLY, reported.text]] : [];
  const policies = [...policy('contentSecurityPolicy'), ...reportOnly];
  const ownHtmlPolicy = input.htmlContentSecurityPolicy !== undefined;
  const htmlPolicies = ownHtmlPolicy ? [...policy('htmlContentSecurityPolicy'), ...reportOnly] : policies;
  rejectTwoReports(name('contentSecurityPolicyReportOnly'), policies);
  rejectTwoReports(name('contentSecurityPolicyReportOnly'), htmlPolicies);
  return {
    common: pairs,
    policies,
    htmlPolicies,
    strictTransportSecurity: resolveHsts(name('strictTransportSecurity'), input.strictTransportSecurity),
    removePoweredBy: readBoolean(name('xPoweredBy'), input.xPoweredBy, true),
  };
}

const ENFORCED = 'Content-Security-Policy';
const REPORT_ONLY = 'Content-Security-Policy-Report-Only';

function rejectTwoReports(option: string, policies: readonly HeaderPair[]): void {
  if (policies.length === 2 && policies[0]![0] === REPORT_ONLY) {
    throw new AgentSecurityConfigError(
      'ASEC_CSP_DIRECTIVE',
      option,
      'is a second report-only policy, beside one that has reportOnly: true',
      'Keep one of the two.',
    );
  }
}

/** `undefined` for a header that is off, its settings (`{}` for the defaults) otherwise. */
function readSettings(
  option: string,
  value: unknown,
  keys: readonly string[],
  on: boolean,
): Partial<Record<string, unknown>> | undefined {
  if (value === undefined) return on ? {} : undefined;
  if (typeof value === 'boolean') return value ? {} : undefined;
  return readObject(option, value, keys);
}

function resolveReferrerPolicy(option: string, value: unknown): string | undefined {
  const settings = readSettings(option, value, ['policy'], true);
  if (settings === undefined) return undefined;
  const policies = settings['policy'] ?? 'no-referrer';
  const list = (Array.isArray(policies) ? policies : [policies]) as unknown[];
  for (const policy of list) readChoice(`${option}.policy`, policy, REFERRER_POLICIES, 'no-referrer');
  return list.join(', ');
}

function resolveHsts(option: string, value: unknown): string | undefined {
  const settings = readSettings(option, value, ['maxAge', 'includeSubDomains', 'preload'], true);
  if (settings === undefined) return undefined;
  const maxAge = readInteger(`${option}.maxAge`, settings['maxAge'], 31_536_000, { min: 0, max: 2 ** 31 });
  const includeSubDomains = readBoolean(`${option}.includeSubDomains`, settings['includeSubDomains'], true);
  const preload = readBoolean(`${option}.preload`, settings['preload'], false);
  if (preload && (!includeSubDomains || maxAge < 31_536_000)) {
    throw new AgentSecurityConfigError(
      'ASEC_HEADER_VALUE',
      `${option}.preload`,
      'needs includeSubDomains and a maxAge of at least 31536000',
      'Browser preload lists take no other form.',
    );
  }
  return `max-age=${maxAge}${includeSubDomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`;
}
