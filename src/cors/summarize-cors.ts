/* The start-up summary of CORS, and of the routes that pages of other sites may call. */
import type { ModulesContainer } from '@nestjs/core';
import { type FeatureSummary, summarizeList } from '../common/feature.js';
import { risk } from '../common/risk.js';
import type { ResolvedCors } from './cors.options.js';
import { CrossSiteRoutes } from './cross-site-routes.js';
import { FILE_ORIGIN } from './origin.js';

export function summarizeCors(cors: ResolvedCors | false, modules: ModulesContainer): FeatureSummary {
  const crossSite = crossSiteRoutes(modules);
  if (cors === false) return { text: `origins: left to another layer (cors is off)${crossSite}` };
  const { anyOrigin, exact, suffixes } = cors;
  if (anyOrigin)
    return {
      text: `origins: every one (*)${crossSite}`,
      warnings: [
        risk(
          'ASEC-C002',
          'cors.origins',
          'is "*"',
          'pages of every site can read responses and change state',
          'List your origins.',
        ),
      ],
    };
  const listed = [...exact, ...[...suffixes.keys()].map(suffix => suffix.replace('://', '://*.'))];
  return {
    text: `origins: the app's own${listed.length > 0 ? `, ${summarizeList(listed)}` : ''}${crossSite}`,
    warnings: exact.has(FILE_ORIGIN)
      ? [
          risk(
            'ASEC-C003',
            'cors.insecureFileOrigin',
            'is on',
            'every local HTML file can read responses and change state',
            'Leave it out, unless a WebView of yours sends this origin.',
          ),
        ]
      : [],
  };
}

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
