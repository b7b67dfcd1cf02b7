/* What the module's options and a route's decorators say about response headers, as the parts of a template. */
import type { HeaderPair, HeaderTemplateParts, ResolvedHeaders } from '../common/header-template.js';
import { resolveHeaders, type SecurityHeadersOptions } from './headers.options.js';
import type { PolicyLayer } from './policy-headers.js';

export const SECURITY_HEADERS_KEY = 'agent-security:security-headers';
export const CONTENT_SECURITY_POLICY_KEY = 'agent-security:content-security-policy';
export const NO_STORE_KEY = 'agent-security:no-store';

/** The module's options about response headers. */
export interface HeaderSettings {
  readonly input: SecurityHeadersOptions;
  readonly noStore: boolean;
  readonly requestIdHeader: string | undefined;
  readonly varyByOrigin: boolean;
  /** The path at which `cspReports` collects violation reports. */
  readonly reportPath?: string | undefined;
}

export const HEADER_SETTINGS = Symbol('agent-security:header-settings');

/** The `Cache-Control` of a route: always `no-store`, the handler's, or the handler's on errors too. */
export type RouteCaching = 'no-store' | 'own' | 'own-on-errors';

/** The parts of a template. @param caching the route's `@NoStore()`, if it has one */
export function templateParts(
  settings: HeaderSettings,
  caching?: RouteCaching,
  layers?: readonly PolicyLayer[],
): HeaderTemplateParts {
  return {
    ...withReports(resolveHeaders('headers', settings.input, layers), settings.reportPath),
    requestIdHeader: settings.requestIdHeader,
    noStore: caching === undefined ? settings.noStore : caching === 'no-store' && 'force',
    noStoreOnErrors: caching === 'no-store' || (settings.noStore && caching !== 'own-on-errors'),
    varyByOrigin: settings.varyByOrigin,
  };
}

/** Adds `report-to`, and `report-uri` for older browsers, to policies without them. */
function withReports(headers: ResolvedHeaders, path: string | undefined): ResolvedHeaders {
  const { page, data, untyped, notModified } = headers.kinds;
  if (path === undefined || data.some(([name]) => name === ENDPOINTS)) return headers;
  const isAsked = [...page, ...data].some(isPolicy);
  const add = (pairs: readonly HeaderPair[]): readonly HeaderPair[] => {
    const policies = pairs
      .filter(isPolicy)
      .map(([name, text]): HeaderPair => [name, withReportTo(text, path)]);
    const others = pairs.filter(pair => !isPolicy(pair));
    return [...others, ...(isAsked ? [[ENDPOINTS, `csp="${path}"`] as const] : []), ...policies];
  };
  const kinds = { page: add(page), data: add(data), untyped: add(untyped), notModified: add(notModified) };
  return { ...headers, kinds };
}

const ENDPOINTS = 'Reporting-Endpoints';

const isPolicy = ([name]: HeaderPair): boolean => name.startsWith('Content-Security-Policy');

/** Adds the directives to each policy of a header. */
const withReportTo = (text: string, path: string): string =>
  text
    .split(', ')
    .map(policy =>
      /(?:^|; )report-(?:to|uri)(?: |;|$)/.test(policy)
        ? policy
        : `${policy}; report-uri ${path}; report-to csp`,
    )
    .join(', ');
