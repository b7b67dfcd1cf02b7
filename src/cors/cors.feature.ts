import { ModulesContainer } from '@nestjs/core';
import { eachHandler } from '../common/each-handler.js';
import { type Feature, type GuardEntry, provideOptions, summarizeList } from '../common/feature.js';
import { rejectPublicSuffixes } from '../common/public-suffix.js';
import type { ResolvedRequestId } from '../request-id/request-id.options.js';
import { OVERRIDE_HEADER, VERBS } from '../verb/check-verb.js';
import { allowHeader } from './decide-cors.js';
import { type ResolvedCors, resolveCors } from './cors.options.js';
import { CROSS_SITE_KEY } from './cross-site.decorator.js';
import { FILE_ORIGIN } from './origin.js';
import { CrossSiteGuard } from './cross-site.guard.js';
import { type CrossSiteOrigins, CrossSiteRoutes } from './cross-site-routes.js';

/** The resolved option; where the app has verbs, preflights grant the header of `@Verb()`. `false` where CORS is off. */
export const RESOLVED_CORS = Symbol('agent-security:cors-options');

export const CORS: Feature<'cors', ResolvedCors | false> = {
  key: 'cors',
  resolve: (input, env, { requestId }) => {
    const { header } = (requestId || {}) as Partial<ResolvedRequestId>;
    return resolveCors(input, env, header);
  },
  verify: async cors => rejectPublicSuffixes('ASEC_ORIGIN_WILDCARD', cors ? cors.suffixes.values() : []),
  summarize: (cors, { modules }) => {
    const crossSite = crossSiteRoutes(modules);
    if (cors === false) return { text: `origins: left to another layer (cors is off)${crossSite}` };
    const { anyOrigin, exact, suffixes } = cors;
    if (anyOrigin)
      return {
        text: `origins: every one (*)${crossSite}`,
        warnings: [
          'cors.origins is "*": pages of every site can read responses and change state. List your origins.',
        ],
      };
    const listed = [...exact, ...[...suffixes.keys()].map(suffix => suffix.replace('://', '://*.'))];
    return {
      text: `origins: the app's own${listed.length > 0 ? `, ${summarizeList(listed)}` : ''}${crossSite}`,
      warnings: exact.has(FILE_ORIGIN)
        ? ['cors.insecureFileOrigin is on: every local HTML file can read responses and change state.']
        : [],
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
      useFactory: createCrossSiteGuard,
      inject: [ModulesContainer],
    },
  ],
};

export const CROSS_SITE_GUARD: GuardEntry<unknown> = { token: CrossSiteGuard, isOptional: true };

/** The routes of `@AllowCrossSite()`, as the platform's router knows them. */
function crossSiteRoutes(modules: ModulesContainer): string {
  for (const { providers } of modules.values()) {
    const routes = providers.get(CrossSiteRoutes)?.instance as CrossSiteRoutes | undefined;
    const texts =
      routes?.list().map(({ path, origins }) => `POST ${path} from ${summarizeList(origins)}`) ?? [];
    if (texts.length > 0) return `; cross-site: ${summarizeList(texts)}`;
  }
  return '';
}

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
