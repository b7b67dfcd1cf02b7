import { type Feature, provideOptions } from '../common/feature.js';
import { readBoolean } from '../common/read-options.js';
import type { ResolvedCors } from '../cors/cors.options.js';
import type { ResolvedCspReports } from '../csp-reports/csp-reports.options.js';
import type { ResolvedRequestId } from '../request-id/request-id.options.js';
import { HEADER_SETTINGS, type HeaderSettings } from './header-settings.js';
import { readHeadersInput, resolveHeaders, type SecurityHeadersOptions } from './headers.options.js';
import { SecurityHeadersInterceptor } from './security-headers.interceptor.js';

interface HeaderOptions {
  readonly headers: SecurityHeadersOptions | false;
  readonly noStore: boolean;
  readonly requestId: ResolvedRequestId | false;
  readonly cors: ResolvedCors | false;
  readonly cspReports: ResolvedCspReports | false;
}

/** The validated input, since the options of routes are merged with it. */
export const HEADERS: Feature<'headers', SecurityHeadersOptions | false> = {
  key: 'headers',
  resolve: input => {
    const headers = readHeadersInput('headers', input);
    if (headers !== false) resolveHeaders('headers', headers);
    return headers;
  },
  providers: [
    provideOptions(
      HEADER_SETTINGS,
      ({ headers, noStore, requestId, cors, cspReports }: HeaderOptions): HeaderSettings => ({
        input: headers,
        noStore,
        requestIdHeader: requestId === false ? undefined : requestId.header,
        varyByOrigin: cors !== false && cors.varies,
        reportPath: cspReports === false ? undefined : cspReports.path,
      }),
    ),
    SecurityHeadersInterceptor,
  ],
  exports: [SecurityHeadersInterceptor, HEADER_SETTINGS],
};

export const NO_STORE: Feature<'noStore', boolean> = {
  key: 'noStore',
  resolve: input => readBoolean('noStore', input, true),
};
