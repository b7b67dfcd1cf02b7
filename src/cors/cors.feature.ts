import { type Feature, provideOptions } from '../common/feature.js';
import { rejectPublicSuffixes } from '../common/public-suffix.js';
import type { ResolvedRequestId } from '../request-id/request-id.options.js';
import { OVERRIDE_HEADER, VERBS } from '../verb/check-verb.js';
import { allowHeader } from './decide-cors.js';
import { type ResolvedCors, resolveCors } from './cors.options.js';

/** The resolved option; where the app has verbs, preflights grant the header of `@Verb()`. `false` where CORS is off. */
export const RESOLVED_CORS = Symbol('agent-security:cors-options');

export const CORS: Feature<'cors', ResolvedCors | false> = {
  key: 'cors',
  resolve: (input, env, { requestId }) => {
    const { header } = (requestId || {}) as Partial<ResolvedRequestId>;
    return resolveCors(input, env, header);
  },
  verify: async cors => rejectPublicSuffixes('ASEC_ORIGIN_WILDCARD', cors ? cors.suffixes.values() : []),
  providers: [
    provideOptions(
      RESOLVED_CORS,
      ({ cors }: { cors: ResolvedCors | false }, verbs: ReadonlySet<string>) =>
        cors && verbs.size > 0 ? allowHeader(cors, OVERRIDE_HEADER) : cors,
      VERBS,
    ),
  ],
};
