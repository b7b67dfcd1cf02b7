import { AgentSecurityConfigError } from '../common/config-error.js';
import { ExemptPaths } from '../common/exempt-paths.js';
import { boolean, mapped, type OptionTable, optional, readTable } from '../common/option-table.js';
import {
  type ReadEnvironment,
  readListVariable,
  readPaths,
  readTextList,
  receivedError,
} from '../common/read-options.js';
import { renamed } from '../common/foreign-names.js';
import type { Wildcard } from '../common/public-suffix.js';
import { show } from '../common/show-value.js';
import { readAuthority } from '../common/authority.js';

/**
 * The hosts that the app serves.
 * @example
 * AgentSecurityModule.forRoot({ hosts: { allow: ['api.example.com'], exemptPaths: ['/healthz'] } })
 */
export interface HostsOptions {
  /**
   * The allowed hosts. `name` matches on any port, `name:8443` on that port only, `*.example.com` matches every subdomain at any depth
   * and not `example.com`, and `[::1]` matches an IPv6 address in any spelling. Case and one trailing dot are ignored. Schemes, paths,
   * userinfo, `'*'` and an empty list stop the start-up.
   *
   * Note: the default serves loopback names only, which protects a developer's machine from DNS rebinding. A deployment must list its
   * public name. Environment: `ALLOWED_HOSTS`.
   * @default ['localhost', '*.localhost', '127.0.0.1', '[::1]']
   * @see RFC 9110 section 7.2
   */
  allow?: string | readonly string[];
  /**
   * Exact paths that are served for any host, such as `/healthz` for a load balancer that probes by address. They begin with a slash;
   * patterns, parameters and queries stop the start-up.
   *
   * `/healthz` also stands for the same path under the global prefix and the versions of the app (`/api/v1/healthz`). A path that no route
   * answers is logged as a warning at start-up.
   *
   * Note: `/healthz/` and `/Healthz` are not exempt, though Express routes them to the same handler.
   * @default []
   */
  exemptPaths?: string | readonly string[];
  /**
   * Accepts every well-formed host. Malformed hosts are still rejected.
   *
   * Danger: it removes the protection against DNS rebinding and against poisoned links and caches. Only for a server whose proxy checks
   * the host.
   * @default false
   */
  insecureAnyHost?: boolean;
}

/** The allowed hosts, in sets whose look-up does not depend on their number. */
export interface HostPatterns {
  /** `"api.example.com"` for any port, `"api.example.com:8443"` for one. */
  readonly exact: ReadonlySet<string>;
  /** `"example.com"` for `*.example.com`, `"example.com:8443"` for `*.example.com:8443`. */
  readonly suffixes: ReadonlyMap<string, Wildcard>;
}

export interface ResolvedHosts {
  readonly patterns: HostPatterns;
  readonly exemptPaths: ExemptPaths;
  readonly anyHost: boolean;
  /** The option to add a rejected host to, for the log. */
  readonly setting: string;
}

/** Loopback names only: DNS rebinding attacks servers on developers' machines. */
const DEFAULT_HOSTS: readonly string[] = ['localhost', '*.localhost', '127.0.0.1', '[::1]'];

const TABLE = {
  allow: optional(readHostList),
  exemptPaths: mapped(readPaths, paths => new ExemptPaths(paths)),
  insecureAnyHost: boolean(false),
} satisfies OptionTable<HostsOptions>;

export function resolveHosts(input: unknown, env: ReadEnvironment): ResolvedHosts | false {
  if (input === false) return false;
  if (input === true) {
    throw receivedError(
      'ASEC_OPTION_TYPE',
      'hosts',
      'must be a host, a list of hosts, an object or false',
      'Write hosts: ["api.example.com"]. For every host, behind a proxy that checks it: hosts: { insecureAnyHost: true }.',
      input,
    );
  }
  const isList = Array.isArray(input) || typeof input === 'string';
  const options = readTable('hosts', isList ? {} : input, TABLE, { allowedHosts: renamed('allow') });
  const given = isList ? readHostList('hosts', input) : options.allow;
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

/** A text holds one host, or several as `ALLOWED_HOSTS` does. */
export function readHostList(option: string, value: unknown): readonly string[] {
  return readTextList(option, value, []);
}

const NO_PATTERNS: HostPatterns = { exact: new Set(), suffixes: new Map() };

export function resolveHostPatterns(option: string, hosts: readonly string[]): HostPatterns {
  if (hosts.length === 0) {
    throw new AgentSecurityConfigError(
      'ASEC_HOST_NONE',
      option,
      'is an empty list, so every request would be rejected',
      'List at least one host, or set hosts to false to switch the check off.',
    );
  }
  const exact = new Set<string>();
  const suffixes = new Map<string, Wildcard>();
  for (const [index, host] of hosts.entries()) {
    const wildcard = host.startsWith('*.');
    const authority = readAuthority(wildcard ? host.slice(2) : host);
    if (authority === undefined) throw hostError(`${option}[${index}]`, host);
    if (wildcard && authority.name.startsWith('[')) throw hostError(`${option}[${index}]`, host);
    const { name, port } = authority;
    const pattern = port === undefined ? name : `${name}:${port}`;
    if (wildcard) suffixes.set(pattern, { option: `${option}[${index}]`, written: host, domain: name });
    else exact.add(pattern);
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
  if (/^\.[^.]/.test(host)) {
    const name = host.slice(1);
    return receivedError(
      'ASEC_HOST_INVALID',
      option,
      'must not begin with a dot',
      `Write "*.name" for the names below it: [${show(name)}, ${show(`*.${name}`)}].`,
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
    'Write the host as in a Host header; an internationalized name in its xn-- form.',
    host,
  );
}
