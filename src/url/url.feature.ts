import { type Feature, provideOptions } from '../common/feature.js';
import { createUrlCheck, URL_CHECK } from './url-check.js';
import { type ResolvedUrl, resolveUrl } from './url.options.js';

export const URLS: Feature<'url', ResolvedUrl | false> = {
  key: 'url',
  resolve: resolveUrl,
  providers: [
    provideOptions(URL_CHECK, ({ url }: { url: ResolvedUrl | false }) =>
      url === false ? undefined : createUrlCheck(url),
    ),
  ],
};
