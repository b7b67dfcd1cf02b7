/* Origins as browsers serialize them (HTML, "ASCII serialization of an origin"): lower case, no default port, no path. */
import { readAuthority } from '../common/authority.js';

const DEFAULT_PORTS: ReadonlyMap<string, number> = new Map([
  ['http', 80],
  ['https', 443],
]);

/** Far above any real origin; longer ones are refused before they are compared with anything. */
const MAX_ORIGIN_LENGTH = 512;

export interface Origin {
  readonly scheme: string;
  readonly name: string;
  readonly port: number | undefined;
}

/** Reads an origin only if it is written the way a browser writes it; `undefined` for anything else, also for `null`. */
export function readOrigin(text: string): Origin | undefined {
  if (text.length > MAX_ORIGIN_LENGTH) return undefined;
  const separator = text.indexOf('://');
  if (separator <= 0) return undefined;
  const scheme = text.slice(0, separator);
  if (!/^[a-z][a-z0-9+.-]*$/.test(scheme)) return undefined;
  const host = text.slice(separator + 3);
  const authority = readAuthority(host);
  if (authority === undefined) return undefined;
  const { name, port } = authority;
  if (port !== undefined && port === DEFAULT_PORTS.get(scheme)) return undefined;
  // Upper case, a root dot, a long IPv6 spelling or a leading zero in the port: no browser sends them.
  return (port === undefined ? name : `${name}:${port}`) === host ? { scheme, name, port } : undefined;
}

/**
 * Whether an origin is the request's own host. The scheme decides only where it is known to be HTTPS: behind a proxy that ends
 * TLS and is not trusted, an app cannot know it.
 */
export function isSameOrigin(
  origin: Origin,
  host: { readonly name: string; readonly port: number | undefined },
  secure: boolean,
): boolean {
  if (origin.name !== host.name || (secure && origin.scheme === 'http')) return false;
  const defaultPort = DEFAULT_PORTS.get(origin.scheme);
  return defaultPort !== undefined && (origin.port ?? defaultPort) === (host.port ?? defaultPort);
}
