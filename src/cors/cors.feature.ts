import { ModulesContainer } from '@nestjs/core';
import { eachHandler } from '../common/each-handler.js';
import { type Feature, type GuardEntry, provideOptions, summarizeList } from '../common/feature.js';
import { rejectPublicSuffixes } from '../common/public-suffix.js';
import type { ResolvedRequestId } from '../request-id/request-id.options.js';
import { OVERRIDE_HEADER, VERBS } from '../verb/check-verb.js';
import { allowHeader } from './decide-cors.js';
import { type ResolvedCors, resolveCors } from './cors.options.js';
import { CROSS_SITE_KEY } from './cross-site.decorator.js';
import { CrossSiteGuard } from './cross-site.guard.js';
import { CrossSiteRoutes } from './cross-site-routes.js';

/** The resolved option; where the app has verbs, preflights grant the header of `@Verb()`. `false` where CORS is off. */
export const RESOLVED_CORS = Symbol('agent-security:cors-options');

export const CORS: Feature<'cors', ResolvedCors | false> = {
  key: 'cors',
  resolve: (input, env, { requestId }) => {
    const { header } = (requestId || {}) as Partial<ResolvedRequestId>;
    return resolveCors(input, env, header);
  },
  verify: async cors => rejectPublicSuffixes('ASEC_ORIGIN_WILDCARD', cors ? cors.suffixes.values() : []),
  summarize: cors => {
    if (cors === false) return { text: 'origins: left to another layer (cors is off)' };
    const { anyOrigin, exact, suffixes } = cors;
    if (anyOrigin)
      return {
        text: 'origins: every one (*)',
        warnings: [
          'cors.origins is "*": pages of every site can read responses and change state. List your origins.',
        ],
      };
    const wildcards = [...suffixes.keys()].map(suffix => suffix.replace('://', '://*.'));
    return {
      text: `origins: the app's own${exact.size + suffixes.size > 0 ? `, ${summarizeList([...exact, ...wildcards])}` : ''}`,
    };
  },
  providers: [
    provideOptions(
      RESOLVED_CORS,
      ({ cors }: { cors: ResolvedCors | false }, verbs: ReadonlySet<string>) =>
        cors && verbs.size > 0 ? allowHeader(cors, OVERRIDE_HEADER) : cors,
      VERBS,
    ),
    CrossSiteRoutes,
    {
      provide: CrossSiteGuard,
      useFactory: (modules: ModulesContainer) =>
        hasCrossSiteHandler(modules) ? new CrossSiteGuard() : undefined,
      inject: [ModulesContainer],
    },
  ],
};

export const CROSS_SITE_GUARD: GuardEntry<unknown> = { token: CrossSiteGuard, isOptional: true };

function hasCrossSiteHandler(modules: ModulesContainer): boolean {
  for (const { handler } of eachHandler(modules))
    if (Reflect.hasMetadata(CROSS_SITE_KEY, handler)) return true;
  return false;
}
