import { ModulesContainer } from '@nestjs/core';
import { eachHandler } from '../common/each-handler.js';
import { type Feature, type GuardEntry, provideOptions } from '../common/feature.js';
import { rejectPublicSuffixes } from '../common/public-suffix.js';
import type { ResolvedRequestId } from '../request-id/request-id.options.js';
import { OVERRIDE_HEADER, VERBS } from '../verb/check-verb.js';
import { allowHeader } from './decide-cors.js';
import { RESOLVED_CORS, type ResolvedCors, resolveCors } from './cors.options.js';
import { CROSS_SITE_KEY } from './cross-site.decorator.js';
import { CrossSiteGuard } from './cross-site.guard.js';
import { CrossSiteRoutes } from './cross-site-routes.js';
import { summarizeCors } from './summarize-cors.js';
import type { CrossSiteOrigins } from './cross-site-origins.js';

export const CORS: Feature<'cors', ResolvedCors | false> = {
  key: 'cors',
  resolve: (input, env, { requestId }) => {
    const { header } = (requestId || {}) as Partial<ResolvedRequestId>;
    return resolveCors(input, env, header);
  },
  verify: async cors => rejectPublicSuffixes('ASEC_ORIGIN_WILDCARD', cors ? cors.suffixes.values() : []),
  summarize: (cors, { modules }) => summarizeCors(cors, modules),
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
      useFactory: createCrossSiteGuard,
      inject: [ModulesContainer],
    },
  ],
};

export const CROSS_SITE_GUARD: GuardEntry<unknown> = { token: CrossSiteGuard, isOptional: true };

async function createCrossSiteGuard(modules: ModulesContainer): Promise<CrossSiteGuard | undefined> {
  let guard: CrossSiteGuard | undefined;
  for (const { handler } of eachHandler(modules)) {
    const origins = Reflect.getMetadata(CROSS_SITE_KEY, handler) as CrossSiteOrigins | undefined;
    if (origins === undefined) continue;
    await rejectPublicSuffixes('ASEC_ORIGIN_WILDCARD', origins.suffixes.values());
    guard ??= new CrossSiteGuard();
  }
  return guard;
}
