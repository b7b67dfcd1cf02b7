import { AgentSecurityConfigError } from '../common/config-error.js';
import { boolean, type OptionTable, optional, readTable, texts } from '../common/option-table.js';
import {
  type ReadEnvironment,
  readListVariable,
  readPaths,
  readStringList,
  receivedError,
} from '../common/read-options.js';
import { show } from '../common/show-value.js';
import { readAuthority } from '../common/authority.js';

export interface HostsOptions {
  /**
   * The hosts that requests may name. `name` matches on any port, `name:8443` on that port only, `*.example.com` every
   * subdomain and not `example.com`. Case is ignored. Schemes, paths and `'*'` are refused.
   * The trap: the default serves loopback names only, so a deployment must list its public name.
   * @default ['localhost', '*.localhost', '127.0.0.1', '[::1]'] (environment: `ALLOWED_HOSTS`)
   * @see RFC 9110 section 7.2
   */
  allow?: readonly string[];
  /**
   * Exact paths that any host may ask for, such as `/healthz` for a load balancer's probe. A path with a trailing slash or
   * in another case is another path.
   * @default []
   */
  exemptPaths?: readonly string[];
  /**
   * Accepts every well-formed host. It gives up the protection against DNS rebinding and against poisoned links and
   * caches; only for a server whose proxy already checks the host.
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

const TABLE = {
  allow: optional(texts()),
  exemptPaths: readPaths,
  insecureAnyHost: boolean(false),
} satisfies OptionTable<HostsOptions>;

export function resolveHosts(input: unknown, env: ReadEnvironment): ResolvedHosts | false {
  if (input === false) return false;
  const isList = Array.isArray(input);
  const options = readTable('hosts', isList ? {} : input, TABLE);
  const given = isList ? readStringList('hosts', input, []) : options.allow;
  const variable = given === undefined ? readListVariable(env, 'ALLOWED_HOSTS') : undefined;
  const option = isList ? 'hosts' : variable === undefined ? 'hosts.allow' : 'ALLOWED_HOSTS';
  return {
    patterns: options.insecureAnyHost
      ? NO_PATTERNS
      : resolveHostPatterns(option, given ?? variable ?? DEFAULT_HOSTS),
    exemptPaths: options.exemptPaths,
    anyHost: options.insecureAnyHost,
    setting: given === undefined ? 'hosts (or ALLOWED_HOSTS)' : option,
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
