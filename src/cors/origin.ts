/* Origins as browsers serialize them (HTML, "ASCII serialization of an origin"): no default port, no path, and lower case where the scheme
 * is one of the web's. The host of any other scheme is opaque (URL standard, section 3.5): `app://.` of Electron, `app://-`, and
 * `safari-web-extension://` with an identifier in upper case. */
import { isIPv4 } from 'node:net';
import { readAuthority } from '../common/authority.js';
import type { Wildcard } from '../common/public-suffix.js';
import { receivedError } from '../common/read-options.js';
import { show } from '../common/show-value.js';

const DEFAULT_PORTS: ReadonlyMap<string, number> = new Map([
  ['http', 80],
  ['https', 443],
]);

/** The special schemes of the URL standard, whose hosts are names and addresses. */
const WEB_SCHEME = /^(?:https?|wss?|ftp|file)$/;

const OPAQUE_HOST = /^[\w.~-]+$/;

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
  if (authority !== undefined) {
    const { name, port } = authority;
    if (port !== undefined && port === DEFAULT_PORTS.get(scheme)) return undefined;
    // Browsers send no upper case, trailing dot, non-canonical IPv6 or leading zero in the port.
    if ((port === undefined ? name : `${name}:${port}`) === host) return { scheme, name, port };
  }
  const isOpaque = !WEB_SCHEME.test(scheme) && OPAQUE_HOST.test(host);
  return isOpaque ? { scheme, name: host, port: undefined } : undefined;
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

/** What WebViews send for a page of the file system, where browsers send `null`. */
export const FILE_ORIGIN = 'file://';

/** Adds an origin for `hasExactOrigin()`. */
export function addExactOrigin(exact: Set<string>, origin: string): void {
  exact.add(origin).add(origin.toLowerCase());
}

/** Whether a list has an origin. Opaque hosts are compared without their case: Safari sends the identifier of an extension in upper case. */
export function hasExactOrigin(exact: ReadonlySet<string>, origin: string): boolean {
  if (exact.has(origin)) return true;
  return !/^https?:/i.test(origin) && origin.includes('://') && exact.has(origin.toLowerCase());
}

/** The origins of `cors.origins`, ready for look-ups. */
export interface OriginPatterns {
  /** `"https://app.example.com"`. */
  readonly exact: ReadonlySet<string>;
  /** `"https://example.com"` for `https://*.example.com`, with its port if it has one. */
  readonly suffixes: ReadonlyMap<string, Wildcard>;
}

/**
 * Reads a list of origins; `*` alone has no patterns.
 * @throws AgentSecurityConfigError for an origin that no browser sends, or one that is not safe with `credentials`
 */
export function resolveOriginPatterns(
  option: string,
  origins: readonly string[],
  credentials: boolean,
): OriginPatterns {
  if (credentials && origins.includes('null')) {
    throw originError(
      option,
      origins,
      'must not list "null" together with credentials: every sandboxed page could act as the signed-in user',
      'Remove "null", or leave credentials off.',
    );
  }
  const exact = new Set<string>();
  const suffixes = new Map<string, Wildcard>();
  if (origins.includes('*')) {
    if (origins.length === 1) return { exact, suffixes };
    throw originError(option, origins, 'must be "*" alone or a list of origins', 'Remove one of the two.');
  }
  for (const [index, origin] of origins.entries()) addOrigin(`${option}[${index}]`, origin, exact, suffixes);
  return { exact, suffixes };
}

function addOrigin(
  option: string,
  origin: string,
  exact: Set<string>,
  suffixes: Map<string, Wildcard>,
): void {
  if (origin === 'null') {
    exact.add(origin);
    return;
  }
  const wildcard = /^([a-z][a-z0-9+.-]*:\/\/)\*\.(.*)$/i.exec(origin);
  const written = wildcard ? wildcard[1]! + wildcard[2]! : origin;
  if (origin.toLowerCase() === FILE_ORIGIN) {
    throw originError(
      option,
      origin,
      'is the origin of every local file',
      'Remove it. If a WebView of yours sends it, set cors.insecureFileOrigin.',
    );
  }
  const parsed =
    readOrigin(written) ??
    readOrigin(written.toLowerCase().replace(/^(http:.*):80$|^(https:.*):443$/, '$1$2'));
  if (parsed === undefined) {
    throw originError(
      option,
      origin,
      'is not an origin as browsers send it',
      `Write ${show(nearestOrigin(origin) ?? 'https://app.example.com')}: a scheme, a host, a port only if it is not the default, and nothing after them.`,
    );
  }
  const { scheme, name, port } = parsed;
  // A last label of digits makes a browser read the whole name as an IPv4 address (WHATWG URL, "ends in a number").
  if (WEB_SCHEME.test(scheme) && /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(name) && !isIPv4(name)) {
    const remedy = 'Write all four numbers of the address.';
    throw originError(option, origin, 'is an address that no browser sends', remedy);
  }
  const hasOwnDomain = /[^.]\.[^.]/.test(name) || name === 'localhost';
  if (wildcard && (name.startsWith('[') || isIPv4(name) || !hasOwnDomain)) {
    throw receivedError(
      'ASEC_ORIGIN_WILDCARD',
      option,
      'must not cover a top-level domain or an address',
      'Put the wildcard in front of a domain of your own: "https://*.example.com".',
      origin,
    );
  }
  const serialized = `${scheme}://${name}${port === undefined ? '' : `:${port}`}`;
  if (wildcard) suffixes.set(serialized, { option, written: origin, domain: name });
  else addExactOrigin(exact, serialized);
}

/** The origin of a URL, or of a host without a scheme. */
function nearestOrigin(text: string): string | undefined {
  const [, scheme = 'https://', host] =
    /^(https?:\/\/)?([^\s/?#@]+)(?:[/?#]\S*)?$/i.exec(text.slice(0, MAX_ORIGIN_LENGTH)) ?? [];
  const origin = host === undefined ? '' : (scheme + host).toLowerCase();
  return readOrigin(origin.replace('://*.', '://')) === undefined ? undefined : origin;
}

const originError = (option: string, received: unknown, problem: string, remedy: string) =>
  receivedError('ASEC_ORIGIN_INVALID', option, problem, remedy, received);
