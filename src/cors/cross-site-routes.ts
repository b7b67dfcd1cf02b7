/* The routes of `@AllowCrossSite()`. The origin is checked before routing, so the edge compares the path, and a guard then checks that the
 * request reached such a route. */
import type { IncomingMessage } from 'node:http';
import { requestPath } from '../common/http-request.js';
import { receivedError } from '../common/read-options.js';
import { allowsCrossSite, type CrossSiteOrigins } from './cross-site-origins.js';

/** A route that accepts POST from pages of other sites. */
interface CrossSiteRoute {
  /** As the platform's router knows it, with the global prefix and the version. */
  readonly path: string;
  readonly origins: readonly string[];
}

/** Filled while Nest registers the routes. `list()` is for the summary at start-up. */
export class CrossSiteRoutes {
  readonly #routes: {
    readonly path: string;
    readonly segments: readonly string[];
    readonly origins: CrossSiteOrigins;
  }[] = [];

  /** @throws AgentSecurityConfigError for a path that routers would read as another pattern than this module */
  add(path: string, origins: CrossSiteOrigins): void {
    const segments = readSegments(path);
    // Behind a parameter may stand a route of another library, which no guard checks again.
    if (
      (origins.anyOrigin || origins.exact.has('null')) &&
      segments.some(segment => segment.startsWith(':'))
    ) {
      throw receivedError(
        'ASEC_PATH_INVALID',
        '@AllowCrossSite()',
        'must stand on a path without parameters where it allows "*" or "null"',
        'Write the paths one by one, or list the origins.',
        path,
      );
    }
    this.#routes.push({ path, segments, origins });
  }

  allows(raw: IncomingMessage): boolean {
    if (this.#routes.length === 0 || raw.method !== 'POST') return false;
    const path = requestPath(raw.url ?? '');
    return this.#routes.some(
      ({ segments, origins }) => matches(path, segments) && allowsCrossSite(origins, raw),
    );
  }

  list(): readonly CrossSiteRoute[] {
    return this.#routes.map(({ path, origins }) => ({ path, origins: origins.listed }));
  }
}

function readSegments(path: string): readonly string[] {
  const segments = path.split('/').filter(segment => segment !== '');
  const isPlain = segments.every(segment => /^(?::\w+|[\w.~$&'=@,-]+)$/.test(segment));
  if (!isPlain) {
    throw receivedError(
      'ASEC_PATH_INVALID',
      '@AllowCrossSite()',
      'must stand on a path whose parameters are whole segments',
      'Write for example @Post("login/:provider"): no wildcard and no other pattern.',
      path,
    );
  }
  return segments;
}

/** Whether it is exactly the route's path, in no other spelling: a client that sends such requests was given the URL. */
function matches(path: string, segments: readonly string[]): boolean {
  const parts = path.slice(1).split('/');
  if (segments.length === 0) return path === '/';
  return (
    parts.length === segments.length &&
    segments.every((segment, index) => {
      const part = parts[index]!;
      return segment.startsWith(':') ? /^[^%;]+$/.test(part) : part === segment;
    })
  );
}
