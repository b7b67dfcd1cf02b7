import { type Feature, provideOptions, summarizeList } from '../common/feature.js';
import { risk } from '../common/risk.js';
import { type ResolvedUrl, resolveUrl } from './url.options.js';
import { checkUrl, urlFaultProblem } from './check-url.js';
import type { EdgeCheck } from '../common/edge-stage.js';

export const URL_CHECK = Symbol('agent-security:url-check');

/** Rejects URLs that are too long, and ambiguous paths. */
const createUrlCheck = (options: ResolvedUrl): EdgeCheck => ({
  check: ({ url = '' }) => {
    const decision = checkUrl(url, options);
    return decision.allowed ? undefined : urlFaultProblem(decision.reason, options.maxLength);
  },
});

export const URLS: Feature<'url', ResolvedUrl | false> = {
  key: 'url',
  resolve: resolveUrl,
  summarize: url => {
    if (url === false)
      return {
        warnings: [
          risk(
            'ASEC-C011',
            'url',
            'is off',
            'ambiguous paths reach the router',
            'Use url.insecureAllow for single forms.',
          ),
        ],
      };
    return url.insecureAllow.size === 0
      ? undefined
      : {
          warnings: [
            risk(
              'ASEC-C012',
              'url.insecureAllow',
              `lists ${summarizeList(url.insecureAllow)}`,
              'such paths reach the router, and a proxy may read them differently',
              'Remove the forms that no client needs.',
            ),
          ],
        };
  },
  providers: [
    provideOptions(URL_CHECK, ({ url }: { url: ResolvedUrl | false }) => url && createUrlCheck(url)),
  ],
};
