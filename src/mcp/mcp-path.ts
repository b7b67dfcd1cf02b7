/* Which requests an endpoint's path covers, in every spelling that a router may take for it: Express ignores case and a trailing slash,
 * Fastify decodes percent signs and can be told to ignore double slashes and what follows a semicolon. Claiming a spelling that no
 * router takes costs a judgement; missing one would be a way around. */
import { requestPath } from '../common/http-request.js';

export class McpPaths {
  readonly #paths: readonly string[];
  /** Nearly every request comes in a spelling that was seen before: as listed. */
  readonly #exact: ReadonlySet<string>;

  constructor(paths: Iterable<string>) {
    this.#exact = new Set(paths);
    this.#paths = [...this.#exact].map(routedPath);
  }

  /** Whether a request target reaches an endpoint, or something below it: `app.use('/mcp', …)` takes `/mcp/anything` as well. */
  has(target: string): boolean {
    const written = requestPath(target);
    if (this.#exact.has(written)) return true;
    const path = routedPath(written);
    return this.#paths.some(
      claimed =>
        path === claimed || (claimed !== '/' && path.startsWith(claimed) && path[claimed.length] === '/'),
    );
  }
}

/** One spelling for all that routers take for one path. */
export function routedPath(path: string): string {
  const bare = path.includes(';') ? path.slice(0, path.indexOf(';')) : path;
  const single = decoded(bare)
    .toLowerCase()
    .replace(/\/{2,}/g, '/');
  return single.length > 1 && single.endsWith('/') ? single.slice(0, -1) : single;
}

function decoded(path: string): string {
  if (!path.includes('%')) return path;
  // Each escape by itself: one that is malformed must not keep the others from being read.
  return path.replace(/%([0-7][0-9a-f])/gi, (_escape, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
