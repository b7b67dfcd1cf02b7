/* Origins as browsers serialize them (HTML, "ASCII serialization of an origin"): lower case, no default port, no path. */
import { readAuthority } from '../common/authority.js';

const DEFAULT_PORTS: ReadonlyMap<string, number> = new Map([
  ['http', 80],
  ['https', 443],
]);

/** Longer than any real origin. */
const MAX_ORIGIN_LENGTH = 512;

export interface Origin {
  readonly scheme: string;
  readonly name: string;
  readonly port: number | undefined;
}

/** Parses an origin in the form that browsers send; `undefined` for anything else, `null` included. */
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
  // Browsers send no upper case, trailing dot, non-canonical IPv6 or leading zero in the port.
  return (port === undefined ? name : `${name}:${port}`) === host ? { scheme, name, port } : undefined;
}

/**
 * Whether an origin is the request's own host. The scheme counts only if the connection is known to be HTTPS: behind an
 * untrusted proxy that terminates TLS, the app does not know it.
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
