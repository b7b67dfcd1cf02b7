/* The option `headers`, and the response headers that it gives. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { HeaderPair, ResolvedHeaders } from '../common/header-template.js';
import {
  boolean,
  choice,
  type OptionTable,
  optional,
  type ReadOption,
  readTable,
} from '../common/option-table.js';
import { readObject } from '../common/read-options.js';
import {
  API_DIRECTIVES,
  type ContentSecurityPolicyDirectives,
  type ContentSecurityPolicyOptions,
  HTML_DIRECTIVES,
  resolvePolicy,
} from './content-security-policy.js';
import {
  fromSettings,
  type HeaderValue,
  onePolicy,
  referrerPolicy,
  strictTransportSecurity,
  toggle,
  resolvePermissionsPolicy,
  resolveReportingEndpoints,
} from './header-values.js';

type PolicyOption = boolean | ContentSecurityPolicyDirectives | ContentSecurityPolicyOptions;

/**
 * Response headers, under the names of Nest's `SecurityHeadersOptions`. `false` leaves a header out, `true` sends its default, an object
 * sets its parts. A header that a handler sets itself is sent as the handler set it.
 * @example
 * AgentSecurityModule.forRoot({ headers: { referrerPolicy: { policy: 'same-origin' }, xPoweredBy: false } })
 */
export interface SecurityHeadersOptions {
  /**
   * `Content-Security-Policy` of responses that are not HTML.
   * @default `default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
   */
  contentSecurityPolicy?: PolicyOption;
  /** `Content-Security-Policy-Report-Only`: a second policy, which browsers report and do not enforce. @default false */
  contentSecurityPolicyReportOnly?: PolicyOption;
  /**
   * `Content-Security-Policy` of responses with an HTML Content-Type. For an app that serves pages, `true` sends `default-src 'self';
   * base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'`; directives are added to that.
   * @default the policy of `contentSecurityPolicy`, so that text which is sent as HTML by mistake runs no script
   */
  htmlContentSecurityPolicy?: PolicyOption;
  /** `Cross-Origin-Embedder-Policy`; `true` sends `require-corp`. @default false */
  crossOriginEmbedderPolicy?: boolean | { policy?: 'require-corp' | 'credentialless' | 'unsafe-none' };
  /** `Cross-Origin-Opener-Policy`. @default `same-origin` */
  crossOriginOpenerPolicy?:
    | boolean
    | { policy?: 'same-origin' | 'same-origin-allow-popups' | 'noopener-allow-popups' | 'unsafe-none' };
  /** `Cross-Origin-Resource-Policy`. Responses to an origin that `cors` allows have `cross-origin`. @default `same-origin` */
  crossOriginResourcePolicy?: boolean | { policy?: 'same-origin' | 'same-site' | 'cross-origin' };
  /** `Origin-Agent-Cluster: ?1`. @default false */
  originAgentCluster?: boolean;
  /**
   * `Permissions-Policy`: browser features by name (`camera` or `displayCapture`), each with `[]` for no origin, `'self'`, `'*'`, or a
   * list of origins. Features that the object does not name stay off: `accelerometer`, `bluetooth`, `camera`, `display-capture`,
   * `geolocation`, `gyroscope`, `hid`, `magnetometer`, `microphone`, `midi`, `payment`, `publickey-credentials-get`, `screen-wake-lock`,
   * `serial`, `usb`, `xr-spatial-tracking`.
   * @default these features off
   */
  permissionsPolicy?: boolean | Readonly<Record<string, string | readonly string[]>>;
  /** `Referrer-Policy`: one policy or several, of which browsers take the last that they know. @default `no-referrer` */
  referrerPolicy?: boolean | { policy?: string | readonly string[] };
  /**
   * `Reporting-Endpoints`: names and their URLs (https, or a path), for `report-to` in a policy.
   * @default false @see Reporting API
   */
  reportingEndpoints?: false | Readonly<Record<string, string>>;
  /**
   * `Strict-Transport-Security`, on responses over HTTPS only; `maxAge` is in seconds. Behind a proxy that terminates TLS it needs
   * `trustProxy`. `preload` needs `includeSubDomains` and a `maxAge` of at least a year, and takes months to undo.
   * @default `max-age=31536000; includeSubDomains`
   * @see RFC 6797 section 7.2
   */
  strictTransportSecurity?: boolean | { maxAge?: number; includeSubDomains?: boolean; preload?: boolean };
  /** `X-Content-Type-Options`. @default `nosniff` */
  xContentTypeOptions?: boolean;
  /** `X-DNS-Prefetch-Control`; `allow: true` sends `on`. @default `off` */
  xDnsPrefetchControl?: boolean | { allow?: boolean };
  /** `X-Download-Options: noopen`. @default false */
  xDownloadOptions?: boolean;
  /** `X-Frame-Options`. @default `DENY` */
  xFrameOptions?: boolean | { action?: 'deny' | 'sameorigin' };
  /** `X-Permitted-Cross-Domain-Policies`; `true` sends `none`. @default false */
  xPermittedCrossDomainPolicies?:
    boolean | { permittedPolicies?: 'none' | 'master-only' | 'by-content-type' | 'all' };
  /** Removes `X-Powered-By`. @default true */
  xPoweredBy?: boolean;
  /** `X-XSS-Protection: 0`, which turns off the XSS filter of old browsers. @default false */
  xXssProtection?: boolean;
}

const ENFORCED = 'Content-Security-Policy';
const REPORT_ONLY = 'Content-Security-Policy-Report-Only';

/** The policy as header pairs: one, or none where it is off. */
const policy =
  (defaults: ContentSecurityPolicyDirectives): ReadOption<readonly HeaderPair[]> =>
  (option, value) => {
    const resolved = resolvePolicy(option, value, defaults);
    return resolved ? [[resolved.reportOnly ? REPORT_ONLY : ENFORCED, resolved.text]] : [];
  };

/** The options of one header each, in the order in which their headers are sent. */
const COMMON_NAMES = {
  xContentTypeOptions: 'X-Content-Type-Options',
  xFrameOptions: 'X-Frame-Options',
  referrerPolicy: 'Referrer-Policy',
  permissionsPolicy: 'Permissions-Policy',
  crossOriginOpenerPolicy: 'Cross-Origin-Opener-Policy',
  crossOriginResourcePolicy: 'Cross-Origin-Resource-Policy',
  crossOriginEmbedderPolicy: 'Cross-Origin-Embedder-Policy',
  xDnsPrefetchControl: 'X-DNS-Prefetch-Control',
  originAgentCluster: 'Origin-Agent-Cluster',
  xDownloadOptions: 'X-Download-Options',
  xPermittedCrossDomainPolicies: 'X-Permitted-Cross-Domain-Policies',
  xXssProtection: 'X-XSS-Protection',
  reportingEndpoints: 'Reporting-Endpoints',
} as const satisfies Partial<Record<keyof SecurityHeadersOptions, string>>;

const COMMON_TABLE = {
  xContentTypeOptions: toggle('nosniff', true),
  xFrameOptions: fromSettings(true, { action: choice(['deny', 'sameorigin'], 'deny') }, ({ action }) =>
    action.toUpperCase(),
  ),
  referrerPolicy,
  permissionsPolicy: resolvePermissionsPolicy,
  crossOriginOpenerPolicy: onePolicy(true, [
    'same-origin',
    'same-origin-allow-popups',
    'noopener-allow-popups',
    'unsafe-none',
  ]),
  crossOriginResourcePolicy: onePolicy(true, ['same-origin', 'same-site', 'cross-origin']),
  crossOriginEmbedderPolicy: onePolicy(false, ['require-corp', 'credentialless', 'unsafe-none']),
  xDnsPrefetchControl: fromSettings(true, { allow: boolean(false) }, ({ allow }) => (allow ? 'on' : 'off')),
  originAgentCluster: toggle('?1', false),
  xDownloadOptions: toggle('noopen', false),
  xPermittedCrossDomainPolicies: fromSettings(
    false,
    { permittedPolicies: choice(['none', 'master-only', 'by-content-type', 'all'], 'none') },
    ({ permittedPolicies }) => permittedPolicies,
  ),
  xXssProtection: toggle('0', false),
  reportingEndpoints: resolveReportingEndpoints,
} satisfies Record<keyof typeof COMMON_NAMES, ReadOption<HeaderValue>>;

const TABLE = {
  ...COMMON_TABLE,
  contentSecurityPolicy: policy(API_DIRECTIVES),
  contentSecurityPolicyReportOnly: (option, value = false) => {
    const resolved = resolvePolicy(option, value, {});
    return resolved ? [[REPORT_ONLY, resolved.text] as const] : [];
  },
  htmlContentSecurityPolicy: optional(policy(HTML_DIRECTIVES)),
  strictTransportSecurity,
  xPoweredBy: boolean(true),
} satisfies OptionTable<SecurityHeadersOptions>;

/** Every header off: the base of a route's headers where the module's are off. */
const HEADERS_OFF: SecurityHeadersOptions = Object.fromEntries(Object.keys(TABLE).map(key => [key, false]));

/** Validates the options and returns them as they are, since those of routes are merged with those of the module. */
export function readHeadersInput(option: string, input: unknown): SecurityHeadersOptions {
  if (input === false) return HEADERS_OFF;
  const headers = readObject(option, input, Object.keys(TABLE)) as SecurityHeadersOptions;
  resolveHeaders(option, headers);
  return headers;
}

export function resolveHeaders(option: string, input: SecurityHeadersOptions): ResolvedHeaders {
  const resolved = readTable(option, input, TABLE);
  const reportOnly = resolved.contentSecurityPolicyReportOnly;
  const policies = [...resolved.contentSecurityPolicy, ...reportOnly];
  const html = resolved.htmlContentSecurityPolicy;
  const htmlPolicies = html === undefined ? policies : [...html, ...reportOnly];
  for (const pairs of [policies, htmlPolicies]) {
    if (pairs.length < 2 || pairs[0]![0] !== REPORT_ONLY) continue;
    throw new AgentSecurityConfigError(
      'ASEC_CSP_DIRECTIVE',
      `${option}.contentSecurityPolicyReportOnly`,
      'is a second report-only policy, beside one that has reportOnly: true',
      'Keep one of the two.',
    );
  }
  return {
    common: Object.entries(COMMON_NAMES).flatMap(([key, name]): HeaderPair[] => {
      const value = resolved[key as keyof typeof COMMON_NAMES];
      return value === undefined ? [] : [[name, value]];
    }),
    policies,
    htmlPolicies,
    strictTransportSecurity: resolved.strictTransportSecurity,
    removePoweredBy: resolved.xPoweredBy,
  };
}
