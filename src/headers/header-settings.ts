/* What the module's options and a route's decorators say about response headers, as the parts of a template. */
import type { HeaderPair, HeaderTemplateParts, ResolvedHeaders } from '../common/header-template.js';
import { resolveHeaders, type SecurityHeadersOptions } from './headers.options.js';

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
export function templateParts(settings: HeaderSettings, caching?: RouteCaching): HeaderTemplateParts {
  return {
    ...withReports(resolveHeaders('headers', settings.input), settings.reportPath),
    requestIdHeader: settings.requestIdHeader,
    noStore: caching === undefined ? settings.noStore : caching === 'no-store' && 'force',
    noStoreOnErrors: caching === 'no-store' || (settings.noStore && caching !== 'own-on-errors'),
    varyByOrigin: settings.varyByOrigin,
  };
}

/** Adds `report-to`, and `report-uri` for older browsers, to policies without them. */
function withReports(headers: ResolvedHeaders, path: string | undefined): ResolvedHeaders {
  if (path === undefined || headers.common.some(([name]) => name === 'Reporting-Endpoints')) return headers;
  const add = (policies: readonly HeaderPair[]): readonly HeaderPair[] =>
    policies.map(([name, text]) => [
      name,
      /(?:^|; )report-(?:to|uri)(?: |;|$)/.test(text) ? text : `${text}; report-uri ${path}; report-to csp`,
    ]);
  const isAsked = headers.policies.length + headers.htmlPolicies.length > 0;
  return {
    ...headers,
    common: isAsked ? [...headers.common, ['Reporting-Endpoints', `csp="${path}"`]] : headers.common,
    policies: add(headers.policies),
    htmlPolicies: add(headers.htmlPolicies),
  };
}
