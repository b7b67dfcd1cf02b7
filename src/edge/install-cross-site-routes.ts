/* Collects the paths of `@AllowCrossSite()` while Nest registers the routes, when the global prefix and the version are part of them. */
import type { AbstractHttpAdapter } from '@nestjs/core';
import { CROSS_SITE_KEY } from '../cors/cross-site.decorator.js';
import type { CrossSiteRoutes } from '../cors/cross-site-routes.js';
import type { CrossSiteOrigins } from '../cors/cross-site-origins.js';

type Register = (...args: unknown[]) => unknown;

export function installCrossSiteRoutes(adapter: AbstractHttpAdapter, routes: CrossSiteRoutes): void {
  const methods = adapter as unknown as Record<'post' | 'all', Register>;
  for (const method of ['post', 'all'] as const) {
    const register = methods[method].bind(methods);
    methods[method] = (...args) => {
      const [path] = args;
      const handler = args.at(-1);
      const origins =
        typeof path === 'string' && typeof handler === 'function'
          ? (Reflect.getMetadata(CROSS_SITE_KEY, handler) as CrossSiteOrigins | undefined)
          : undefined;
      if (origins !== undefined) routes.add(path as string, origins);
      return register(...args);
    };
  }
}
