import { type Feature, provideOptions } from '../common/feature.js';
import { boolean } from '../common/option-table.js';
import { risk } from '../common/risk.js';
import type { ResolvedCors } from '../cors/cors.options.js';
import type { ResolvedCspReports } from '../csp-reports/csp-reports.options.js';
import type { ResolvedRequestId } from '../request-id/request-id.options.js';
import { HEADER_SETTINGS, type HeaderSettings } from './header-settings.js';
import { readHeadersInput, type SecurityHeadersOptions } from './headers.options.js';
import { SecurityHeadersInterceptor } from './security-headers.interceptor.js';

interface HeaderOptions {
  readonly headers: SecurityHeadersOptions;
  readonly noStore: boolean;
  readonly requestId: ResolvedRequestId | false;
  readonly cors: ResolvedCors | false;
  readonly cspReports: ResolvedCspReports | false;
}

export const HEADERS: Feature<'headers', SecurityHeadersOptions> = {
  key: 'headers',
  resolve: input => readHeadersInput('headers', input),
  summarize: ({ framing }) =>
    framing === false
      ? {
          warnings: [
            risk(
              'ASEC-C004',
              'headers.framing',
              'is false',
              'every site can show the app in a frame (clickjacking)',
              'Leave it out, or list the sites.',
            ),
          ],
        }
      : undefined,
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
  resolve: input => boolean(true)('noStore', input),
};
