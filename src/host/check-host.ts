/* Checks the host of a request: RFC 9110 section 7.2 and RFC 9112 section 3.2. */
import { type Authority, readAuthority } from '../common/authority.js';
import type { HostPatterns } from './host.options.js';
import type { HostRejection } from './host-problem.js';

export type HostDecision =
  | { readonly allowed: true; readonly authority: Authority }
  | { readonly allowed: false; readonly reason: HostRejection };

/** The host of a request, as received. */
export interface HostClaims {
  /** `Host`, or `:authority` over HTTP/2. */
  readonly host: string | undefined;
  /** The number of `Host` lines: of several, Node keeps the first silently. */
  readonly hostLines: number;
  /** The request target; if it has an authority, it must equal `Host`. */
  readonly target: string;
  /** `X-Forwarded-Host` (or `host` of `Forwarded`) from a trusted proxy. */
  readonly forwardedHosts?: readonly string[] | undefined;
}

const rejected = (reason: HostRejection): HostDecision => ({ allowed: false, reason });

/**
 * Checks a request's host. `patterns: undefined` accepts every well-formed host. All hosts that a trusted proxy
 * forwards must be allowed: if the proxy appends, the list contains the value of the client.
 */
export function checkHost(claims: HostClaims, patterns: HostPatterns | undefined): HostDecision {
  if (claims.hostLines > 1) return rejected('duplicate');
  if (!claims.host) return rejected('missing');
  const authority = readAuthority(claims.host);
  if (authority === undefined) return rejected('malformed');
  if (claims.target.charCodeAt(0) !== 0x2f && !targetAgrees(claims.target, authority))
    return rejected('conflict');
  if (claims.forwardedHosts === undefined || claims.forwardedHosts.length === 0) {
    return checkAuthority(authority, patterns);
  }
  let decision: HostDecision | undefined;
  for (const host of claims.forwardedHosts) {
    const forwarded = readAuthority(host);
    if (forwarded === undefined) return rejected('malformed');
    decision = checkAuthority(forwarded, patterns);
    if (!decision.allowed) return decision;
  }
  // The nearest proxy wrote the last host.
  return decision!;
}

/** Whether `authority` matches one of `patterns`. */
export function matchesHost({ name, port }: Authority, patterns: HostPatterns): boolean {
  const { exact, suffixes } = patterns;
  if (exact.has(name) || (port !== undefined && exact.has(`${name}:${port}`))) return true;
  if (suffixes.size === 0 || name.charCodeAt(0) === 0x5b) return false;
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
    const suffix = name.slice(dot + 1);
    if (suffixes.has(suffix) || (port !== undefined && suffixes.has(`${suffix}:${port}`))) return true;
  }
  return false;
}

function checkAuthority(authority: Authority, patterns: HostPatterns | undefined): HostDecision {
  if (patterns === undefined || matchesHost(authority, patterns)) return { allowed: true, authority };
  return rejected('not-listed');
}

/** An absolute-form target overrides `Host` (RFC 9112 section 3.2.2), so a request whose two hosts differ is rejected. */
function targetAgrees(target: string, host: Authority): boolean {
  const scheme = /^(https?):\/\//i.exec(target);
  if (scheme === null) return !target.includes('://');
  const rest = target.slice(scheme[0].length);
  const end = rest.search(/[/?#]/);
  const authority = readAuthority(end === -1 ? rest : rest.slice(0, end));
  if (authority === undefined || authority.name !== host.name) return false;
  const defaultPort = scheme[1]!.toLowerCase() === 'https' ? 443 : 80;
  return (authority.port ?? defaultPort) === (host.port ?? defaultPort);
}
