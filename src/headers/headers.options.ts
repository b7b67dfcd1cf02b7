/* The option `headers`, and the response headers that it gives. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import type { HeaderPair, ResolvedHeaders } from '../common/header-template.js';
import {
  asGiven,
  boolean,
  choice,
  expandShort,
  type OptionTable,
  type ReadOption,
  readTable,
} from '../common/option-table.js';
import { isRecord, readObject } from '../common/read-options.js';
import {
  API_DIRECTIVES,
  type ContentSecurityPolicyDirectives,
  type ContentSecurityPolicyOptions,
  HTML_DIRECTIVES,
  namesFrameAncestors,
  type ResolvedPolicy,
  resolvePolicy,
} from './content-security-policy.js';
import { FOREIGN_HEADERS } from './helmet-names.js';
import { type FramingOption, readFraming, withFraming } from './framing.js';
import {
  commonTo,
  CSP_HEADERS,
  layPolicy,
  policyHeaders,
  type PolicyHeaders,
  type PolicyLayer,
} from './policy-headers.js';
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

/** A header with one of some values: alone, or under its name in helmet. */
type HeaderChoice<Key extends string, Value extends string> =
  boolean | Value | { readonly [K in Key]?: Value };

type PolicyOption = boolean | ContentSecurityPolicyDirectives | ContentSecurityPolicyOptions;

/**
 * Response headers, under the names of Nest's `SecurityHeadersOptions`. `false` leaves a header out, `true` sends its default, an object
 * sets its parts. A header that a handler sets itself is sent as the handler set it.
 * @example
 * AgentSecurityModule.forRoot({ headers: { referrerPolicy: { policy: 'same-origin' }, xPoweredBy: false } })
 */
export interface SecurityHeadersOptions {
  /**
   * `Content-Security-Policy` of responses that are neither HTML nor JavaScript. `framing` sets its `frame-ancestors`.
   * @default `default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
   */
  contentSecurityPolicy?: PolicyOption;
  /** `Content-Security-Policy-Report-Only`: a second policy, which browsers report and do not enforce. @default false */
  contentSecurityPolicyReportOnly?: PolicyOption;
  /**
   * `Content-Security-Policy` of HTML, and of JavaScript, since a worker obeys the policy of its own script. For an app that serves pages,
   * `true` sends `default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'`; directives are added
   * to that. A response without a Content-Type then has no policy, and a 304 never has one: a cache would replace that of the page.
   * @default the policy of `contentSecurityPolicy`, so that text which is sent as HTML by mistake runs no script
   */
  htmlContentSecurityPolicy?: PolicyOption;
  /** `Cross-Origin-Embedder-Policy`; `true` sends `require-corp`. @default false */
  crossOriginEmbedderPolicy?: HeaderChoice<'policy', 'require-corp' | 'credentialless' | 'unsafe-none'>;
  /** `Cross-Origin-Opener-Policy`. @default `same-origin` */
  crossOriginOpenerPolicy?: HeaderChoice<
    'policy',
    'same-origin' | 'same-origin-allow-popups' | 'noopener-allow-popups' | 'unsafe-none'
  >;
  /** `Cross-Origin-Resource-Policy`. Responses to an origin that `cors` allows have `cross-origin`. @default `same-origin` */
  crossOriginResourcePolicy?: HeaderChoice<'policy', 'same-origin' | 'same-site' | 'cross-origin'>;
  /**
   * Who may show the responses in a frame: `'deny'`, `'sameorigin'`, or a list of origins (`'self'`, `'https://partner.example.com'`,
   * `'https://*.example.com'`). It sets `X-Frame-Options`, which cannot name origins, and `frame-ancestors` of both policies.
   *
   * Danger: `false` lets every page frame the app, and trick its users into clicks.
   * @default 'deny'
   */
  framing?: FramingOption;
  /** `Origin-Agent-Cluster: ?1`. @default false */
  originAgentCluster?: boolean;
  /**
   * `Permissions-Policy`: browser features by name (`camera` or `displayCapture`), each with `[]` for no origin, `'self'`, `'*'`, or a
   * list of origins. Features that the object does not name stay off: `accelerometer`, `camera`, `display-capture`, `geolocation`,
   * `gyroscope`, `hid`, `magnetometer`, `microphone`, `midi`, `payment`, `publickey-credentials-get`, `screen-wake-lock`,
   * `serial`, `usb`, `xr-spatial-tracking`.
   * @default these features off
   */
  permissionsPolicy?: boolean | Readonly<Record<string, string | readonly string[]>>;
  /**
   * `Referrer-Policy`: one policy or several, of which browsers take the last that they know.
   *
   * Note: under `no-referrer`, browsers send the forms of a page with `Origin: null`.
   * @default `same-origin` for HTML and JavaScript, else `no-referrer`
   */
  referrerPolicy?: boolean | string | readonly string[] | { policy?: string | readonly string[] };
  /**
   * `Reporting-Endpoints`: names and their URLs (https, or a path), for `report-to` in a policy.
   * @default false @see Reporting API
   */
  reportingEndpoints?: false | Readonly<Record<string, string>>;
  /**
   * `Strict-Transport-Security`, on responses over HTTPS only; `maxAge` is a number of seconds, or a duration. Behind a proxy that terminates TLS it needs
   * `trustProxy`. `preload` needs `includeSubDomains` and a `maxAge` of at least a year, and takes months to undo.
   * @default `max-age=31536000; includeSubDomains`
   * @see RFC 6797 section 7.2
   */
  strictTransportSecurity?:
    boolean | { maxAge?: number | string; includeSubDomains?: boolean; preload?: boolean };
  /** `X-Content-Type-Options`. @default `nosniff` */
  xContentTypeOptions?: boolean;
  /** `X-DNS-Prefetch-Control`; `allow: true` sends `on`. @default `off` */
  xDnsPrefetchControl?: boolean | { allow?: boolean };
  /** `X-Download-Options: noopen`. @default false */
  xDownloadOptions?: boolean;
  /** `X-Permitted-Cross-Domain-Policies`; `true` sends `none`. @default false */
  xPermittedCrossDomainPolicies?: HeaderChoice<
    'permittedPolicies',
    'none' | 'master-only' | 'by-content-type' | 'all'
  >;
  /** Removes `X-Powered-By` and `Server`, which name the software. @default true */
  xPoweredBy?: boolean;
  /** `X-XSS-Protection: 0`, which turns off the XSS filter of old browsers. @default false */
  xXssProtection?: boolean;
}

/** The options of one header each, in the order in which their headers are sent. */
const COMMON_NAMES = {
  xContentTypeOptions: 'X-Content-Type-Options',
  framing: 'X-Frame-Options',
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
    'permittedPolicies',
  ),
  xXssProtection: toggle('0', false),
  reportingEndpoints: resolveReportingEndpoints,
} satisfies Partial<Record<keyof typeof COMMON_NAMES, ReadOption<HeaderValue>>>;

const TABLE = {
  ...COMMON_TABLE,
  framing: readFraming,
  referrerPolicy: (option, value) => ({
    page: referrerPolicy('same-origin')(option, value),
    data: referrerPolicy('no-referrer')(option, value),
  }),
  contentSecurityPolicy: asGiven,
  contentSecurityPolicyReportOnly: (option, value = false) =>
    resolvePolicy(option, value, { directives: {}, reportOnly: true }),
  htmlContentSecurityPolicy: asGiven,
  strictTransportSecurity,
  xPoweredBy: boolean(true),
} satisfies OptionTable<SecurityHeadersOptions>;

/** Every header off: the base of a route's headers where the module's are off. */
const HEADERS_OFF: SecurityHeadersOptions = Object.fromEntries(Object.keys(TABLE).map(key => [key, false]));

/** Validates the options and returns them as they are, since those of routes are merged with those of the module. */
export function readHeadersInput(option: string, input: unknown): SecurityHeadersOptions {
  if (input === false) return HEADERS_OFF;
  const headers = readObject(
    option,
    expandShort(input),
    Object.keys(TABLE),
    FOREIGN_HEADERS,
  ) as SecurityHeadersOptions;
  resolveHeaders(option, headers);
  for (const key of POLICIES) {
    const policy = headers[key];
    if (isReportOnly(policy) && isGiven(headers.contentSecurityPolicyReportOnly)) {
      throw new AgentSecurityConfigError(
        'ASEC_CSP_DIRECTIVE',
        `${option}.contentSecurityPolicyReportOnly`,
        'is a second report-only policy, beside one that has reportOnly: true',
        'Keep one of the two.',
      );
    }
    if (headers.framing === undefined || !namesFrameAncestors(`${option}.${key}`, policy)) continue;
    throw new AgentSecurityConfigError(
      'ASEC_CSP_DIRECTIVE',
      `${option}.${key}`,
      `names frame-ancestors, which ${option}.framing sets`,
      'Keep one of the two.',
    );
  }
  return headers;
}

const POLICIES = ['contentSecurityPolicy', 'htmlContentSecurityPolicy'] as const;

/** Lays a route's options over those below them. A policy that names `frame-ancestors` replaces the framing below it. */
export function layHeaders(
  { framing, ...below }: SecurityHeadersOptions,
  over: SecurityHeadersOptions,
): SecurityHeadersOptions {
  const isReplaced = POLICIES.some(key => namesFrameAncestors(key, over[key]));
  return { ...below, ...(framing === undefined || isReplaced ? {} : { framing }), ...over };
}

const isGiven = (policy: unknown): boolean => policy !== undefined && policy !== false;

const isReportOnly = (policy: unknown): boolean => isRecord(policy) && policy['reportOnly'] === true;

/** @param layers of the decorators of a class and its handler, in this order; each changes only what it names */
export function resolveHeaders(
  option: string,
  input: SecurityHeadersOptions,
  layers: readonly PolicyLayer[] = [],
): ResolvedHeaders {
  const resolved = readTable(option, input, TABLE);
  const { framing, referrerPolicy: referrer } = resolved;
  const policyOf = (
    key: (typeof POLICIES)[number],
    directives: ContentSecurityPolicyDirectives,
  ): ResolvedPolicy | undefined => {
    const base = { directives, reportOnly: false };
    const module = withFraming(resolvePolicy(`${option}.${key}`, resolved[key], base), framing);
    return layers.reduce(layPolicy, module);
  };
  const data = policyOf('contentSecurityPolicy', API_DIRECTIVES);
  const page =
    input.htmlContentSecurityPolicy === undefined
      ? data
      : policyOf('htmlContentSecurityPolicy', HTML_DIRECTIVES);
  const second = resolved.contentSecurityPolicyReportOnly;
  const withPolicies = (policies: PolicyHeaders): readonly HeaderPair[] => [
    ...Object.entries(COMMON_NAMES).flatMap(([key, name]): HeaderPair[] => {
      const value =
        name in policies ? policies[name as keyof PolicyHeaders] : resolved[key as keyof typeof COMMON_TABLE];
      return value === undefined ? [] : [[name, value]];
    }),
    ...CSP_HEADERS.flatMap((name): HeaderPair[] => {
      const value = policies[name as keyof PolicyHeaders];
      return value === undefined ? [] : [[name, value]];
    }),
  ];
  const ofPage = policyHeaders(page, second, framing, referrer.page);
  const ofData = policyHeaders(data, second, framing, referrer.data);
  return {
    kinds: {
      page: withPolicies(ofPage),
      data: withPolicies(ofData),
      untyped: withPolicies({ ...commonTo(ofPage, ofData), 'Referrer-Policy': referrer.data }),
      notModified: withPolicies({ 'X-Frame-Options': undefined, 'Referrer-Policy': undefined }),
    },
    strictTransportSecurity: resolved.strictTransportSecurity,
    removePoweredBy: resolved.xPoweredBy,
  };
}
