/* Which requests the configured MCP paths cover: the path itself (where a library mounts its server on the adapter), the path under the
 * app's global prefix and URI versions (where Nest mounts a controller), and everything below. Each is covered in every spelling that a
 * router accepts: Express ignores case and a trailing slash; Fastify decodes percent signs, and can be set to ignore double slashes and
 * what follows a semicolon. A spelling that is covered and that no router accepts costs one check; one that is missed would be a bypass. */
import { requestPath } from '../common/http-request.js';
import { list } from '../common/option-table.js';
import { receivedError } from '../common/read-options.js';
import type { RouteMount } from '../http/route-mount.js';

export class McpPaths {
  #matchers: ReadonlyMap<string, RegExp> | undefined;

  constructor(
    private readonly paths: ReadonlySet<string>,
    /** Called with the first request: main.ts sets the prefix after the module is constructed. */
    private readonly readMount: () => RouteMount,
  ) {}

  /** Whether a request target reaches an endpoint, or something below it: `app.use('/mcp', …)` matches `/mcp/anything` as well. */
  has(target: string): boolean {
    const path = requestPath(target);
    for (const matcher of this.#compiled().values()) {
      if (matcher.test(path)) return true;
      if (/[%;]/.test(path) && otherSpellings(path).some(spelling => matcher.test(spelling))) return true;
    }
    return false;
  }

  /** The configured paths that none of the app's routes answers. */
  unanswered(routes: readonly string[]): readonly string[] {
    return [...this.#compiled()].flatMap(([path, matcher]) =>
      routes.some(route => matcher.test(route)) ? [] : [path],
    );
  }

  /** What a configured path covers, for a log line. */
  describe(path: string): string {
    const { prefix, versionPrefix } = this.readMount();
    const versions = versionPrefix === undefined ? [''] : ['', `/${versionPrefix}<version>`];
    const prefixes = prefix === '' ? [''] : ['', `/${prefix}`];
    const mounts = prefixes.flatMap(before => versions.map(version => before + version));
    return mounts.map(mount => `"${mount}${path}"`).join(', ');
  }

  #compiled(): ReadonlyMap<string, RegExp> {
    return (this.#matchers ??= new Map([...this.paths].map(path => [path, compile(path, this.readMount())])));
  }
}

/** @throws AgentSecurityConfigError for a path that routers would read as another pattern than this module */
export function readMcpPaths(option: string, value: unknown): ReadonlySet<string> {
  if (typeof value === 'string') return new Set([readPath(option, value)]);
  const paths = list(readPath, ['/mcp'])(option, value);
  if (paths.length > 0) return new Set(paths);
  throw receivedError(
    'ASEC_PATH_INVALID',
    option,
    'names no path',
    'Write "/mcp", or set mcp to false.',
    value,
  );
}

function readPath(option: string, value: unknown): string {
  const path = String(value);
  const isPlain = segmentsOf(path).every(segment => PARAMETER.test(segment) || LITERAL.test(segment));
  if (path.startsWith('/') && isPlain) return path;
  throw receivedError(
    'ASEC_PATH_INVALID',
    option,
    'must be a path whose parameters are whole segments',
    'Write for example "/mcp" or "/:tenant/mcp": no wildcard, no query, no other pattern.',
    path,
  );
}

const PARAMETER = /^:\w+$/;
/** What a segment may hold (RFC 3986 section 3.3) and neither Express nor Fastify reads as a pattern, an escape or an end. */
const LITERAL = /^[\w.~$&'=@,-]+$/;

const segmentsOf = (path: string): readonly string[] => path.split('/').filter(segment => segment !== '');

/** Slashes may be doubled. Each part is anchored to the one before it, so that matching takes linear time. */
function compile(path: string, { prefix, versionPrefix }: RouteMount): RegExp {
  const own = segmentsOf(path).map(sourceOf).join('');
  const before = segmentsOf(prefix).map(sourceOf).join('');
  // A root under versions without a prefix would be every path of one segment.
  const version =
    versionPrefix === undefined || own + versionPrefix === '' ? '' : `(?:/+${escape(versionPrefix)}[^/]+)?`;
  return new RegExp(`^(?:${before})?${version}${own}${own === '' ? '/*$' : '(?:/|$)'}`, 'i');
}

/** A segment that is no plain text is a parameter; one with an asterisk may be several segments. */
function sourceOf(segment: string): string {
  if (segment.includes('*')) return '/.+';
  return LITERAL.test(segment) ? `/+${escape(segment)}` : '/+[^/]+';
}

const escape = (text: string): string => text.replace(/[$^.|*+?()[\]{}\\/-]/g, '\\$&');

/** How routers may read a path with escapes or a semicolon. */
function otherSpellings(path: string): readonly string[] {
  const cut = path.includes(';') ? [path, path.slice(0, path.indexOf(';'))] : [path];
  // A router that splits before it decodes reads an escaped slash as a part of a parameter.
  return cut.flatMap(each => [decoded(each), decoded(each, '2f')]);
}

function decoded(path: string, except?: string): string {
  if (!path.includes('%')) return path;
  // Each escape by itself: a malformed one must not hide the others.
  return path.replace(/%([0-7][0-9a-f])/gi, (whole, hex: string) =>
    hex.toLowerCase() === except ? whole : String.fromCharCode(parseInt(hex, 16)),
  );
}
