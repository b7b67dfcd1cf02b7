import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  isRecord,
  readBoolean,
  type ReadEnvironment,
  readListVariable,
  readObject,
  readPaths,
  readStringList,
  receivedError,
} from '../common/read-options.js';
import { show } from '../common/show-value.js';
import { readAuthority } from '../common/authority.js';

export interface HostsOptions {
  /**
   * The hosts that requests may name. `name` matches on any port, `name:8443` on that port only, `*.example.com` every subdomain at any
   * depth and not `example.com`, `[::1]` an IPv6 address in any spelling. Case and one root dot are ignored. Schemes, paths, userinfo,
   * an empty list and `'*'` stop the start-up.
   *
   * Note: the default serves loopback names only, which protects a developer's machine from DNS rebinding; a deployment must list its
   * public name. Environment: `ALLOWED_HOSTS`.
   * @default ['localhost', '*.localhost', '127.0.0.1', '[::1]']
   * @see RFC 9110 section 7.2
   */
  allow?: readonly string[];
  /**
   * Exact paths that requests may name any host for, such as `/healthz` for a load balancer that probes by address. No patterns,
   * parameters or queries.
   *
   * Note: they are paths of the request line, with the global prefix and the version (`/api/healthz`). `/healthz/` and `/Healthz` are
   * other paths, though Express routes them to the same handler: they are not exempt.
   * @default []
   */
  exemptPaths?: readonly string[];
  /**
   * Accepts every well-formed host; malformed ones are still rejected.
   *
   * Danger: it gives up the protection against DNS rebinding and against poisoned links and caches. Only for a server behind a proxy
   * that already checks the host.
   * @default false
   */
  insecureAnyHost?: boolean;
}

/** The hosts that are allowed, ready for look-ups whose cost does not depend on how many there are. */
export interface HostPatterns {
  /** `"api.example.com"` for any port, `"api.example.com:8443"` for one. */
  readonly exact: ReadonlySet<string>;
  /** `"example.com"` for `*.example.com`, `"example.com:8443"` for `*.example.com:8443`. */
  readonly suffixes: ReadonlySet<string>;
}

export interface ResolvedHosts {
  readonly patterns: HostPatterns;
  readonly exemptPaths: ReadonlySet<string>;
  readonly anyHost: boolean;
  /** Where a refused host would be added, for the log. */
  readonly setting: string;
}

/** Loopback names only: a developer's machine is exactly what DNS rebinding attacks. */
export const DEFAULT_HOSTS: readonly string[] = ['localhost', '*.localhost', '127.0.0.1', '[::1]'];

export function resolveHosts(input: unknown, env: ReadEnvironment): ResolvedHosts | false {
  if (input === false) return false;
  const options = readObject('hosts', Array.isArray(input) ? { allow: input } : input, [
    'allow',
    'exemptPaths',
    'insecureAnyHost',
  ]);
  const anyHost = readBoolean('hosts.insecureAnyHost', options.insecureAnyHost, false);
  const fromOptions = options.allow !== undefined;
  const fromEnvironment = fromOptions ? undefined : readListVariable(env, 'ALLOWED_HOSTS');
  const optionName = isRecord(input) ? 'hosts.allow' : 'hosts';
  const option = fromEnvironment ? 'ALLOWED_HOSTS' : optionName;
  const allow = readStringList(option, fromOptions ? options.allow : fromEnvironment, DEFAULT_HOSTS);
  return {
    patterns: anyHost ? NO_PATTERNS : resolveHostPatterns(option, allow),
    exemptPaths: readPaths('hosts.exemptPaths', options.exemptPaths),
    anyHost,
    setting: fromOptions ? option : 'hosts (or ALLOWED_HOSTS)',
  };
}

const NO_PATTERNS: HostPatterns = { exact: new Set(), suffixes: new Set() };

export function resolveHostPatterns(option: string, hosts: readonly string[]): HostPatterns {
  if (hosts.length === 0) {
    throw new AgentSecurityConfigError(
      'ASEC_HOST_NONE',
      option,
      'is an empty list, so every request would be refused',
      'List at least one host, or set hosts to false to switch the check off.',
    );
  }
  const exact = new Set<string>();
  const suffixes = new Set<string>();
  for (const [index, host] of hosts.entries()) {
    const wildcard = host.startsWith('*.');
    const authority = readAuthority(wildcard ? host.slice(2) : host);
    if (authority === undefined) throw hostError(`${option}[${index}]`, host);
    if (wildcard && authority.name.startsWith('[')) throw hostError(`${option}[${index}]`, host);
    const { name, port } = authority;
    (wildcard ? suffixes : exact).add(port === undefined ? name : `${name}:${port}`);
  }
  return { exact, suffixes };
}

function hostError(option: string, host: string): AgentSecurityConfigError {
  if (host === '*') {
    return receivedError(
      'ASEC_HOST_ANY',
      option,
      'must not be a bare wildcard',
      'List the hosts, or write hosts: { insecureAnyHost: true } where a proxy in front already checks them.',
      host,
    );
  }
  const url = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)/i.exec(host);
  if (url) {
    return receivedError(
      'ASEC_HOST_SCHEME',
      option,
      'must not carry a scheme',
      url[2] ? `Write ${show(url[2])}.` : 'Write the host alone.',
      host,
    );
  }
  return receivedError(
    'ASEC_HOST_INVALID',
    option,
    'must be "name", "name:port", "*.name", "[IPv6]" or "[IPv6]:port"',
    'Write the host as it stands in a Host header; a name with other letters in its xn-- form.',
    host,
  );
}
