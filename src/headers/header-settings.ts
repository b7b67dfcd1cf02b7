import type { HeaderTemplateParts } from '../common/response-headers.js';
import { resolveHeaders, type SecurityHeadersOptions } from './headers.options.js';

export const SECURITY_HEADERS_KEY = 'agent-security:security-headers';
export const CONTENT_SECURITY_POLICY_KEY = 'agent-security:content-security-policy';
export const NO_STORE_KEY = 'agent-security:no-store';

/** Everything that the module's options say about response headers. */
export interface HeaderSettings {
  readonly input: SecurityHeadersOptions | false;
  readonly noStore: boolean;
  readonly requestIdHeader: string | undefined;
  readonly varyByOrigin: boolean;
}

export const HEADER_SETTINGS = Symbol('agent-security:header-settings');

const NOTHING = {
  common: [],
  policies: [],
  htmlPolicies: [],
  strictTransportSecurity: undefined,
  removePoweredBy: false,
} as const;

/** What a template is made of; `noStore` is the route's own choice, if it has one. */
export function templateParts(settings: HeaderSettings, noStore?: boolean | 'force'): HeaderTemplateParts {
  return {
    ...(settings.input === false ? NOTHING : resolveHeaders('headers', settings.input)),
    requestIdHeader: settings.requestIdHeader,
    noStore: noStore ?? settings.noStore,
    varyByOrigin: settings.varyByOrigin,
  };
}
