import { readAuthority } from '../common/authority.js';
import { readBytes } from '../common/read-bytes.js';
import { readChoice, readObject, readStringList, receivedError } from '../common/read-options.js';
import { type Origin, readOrigin } from '../cors/origin.js';
import { type HostPatterns, resolveHostPatterns } from '../host/host.options.js';
import { type Network, NETWORKS } from '../network/address-range.js';
import {
  type ProxyProofOptions,
  type ResolvedProxyProof,
  resolveProxyProof,
} from '../network/proxy-proof.js';
import { PROTOCOL_VERSIONS } from './check-protocol.js';
import { readMcpPaths } from './mcp-path.js';
import { type NameSet, readToolPatterns } from '../tools/name-pattern.js';

export interface McpOptions {
  /**
   * Where the endpoints are, one path or several, whichever library mounts them. A path covers itself, the same path under the global
   * prefix and under URI versions, and everything below, since `app.use('/mcp', …)` takes it as well. `/:tenant/mcp` covers every
   * tenant. Other patterns such as `/mcp/*`, escapes and queries stop the start-up.
   *
   * Note: a path that no route answers protects nothing. It is a warning at start-up, and so is the first answer in MCP from a path
   * that is not covered: see docs/mcp.md#paths. The path of a `RouterModule` belongs to it.
   * @default '/mcp'
   */
  path?: string | readonly string[];
  /**
   * Pages that may call the endpoints beside those of `cors.origins` and the app's own: an origin (`'https://app.example.com'`), or a
   * host name for all its ports (`'localhost'`). They may read the responses. Any other `Origin` gets 403, on every method.
   * @default none
   * @see MCP 2026-07-28, Streamable HTTP, security warning
   */
  origins?: readonly string[];
  /** Narrows `hosts` for the endpoints; never widens it. @default every host of `hosts` */
  hosts?: readonly string[];
  /**
   * The largest message, in bytes or as text (`'512kb'`), and the longest tool list that is filtered, or answer of a session. A longer
   * message gets 413.
   *
   * Note: a body parser in front of the endpoint has its own limit (Express 100 kB, Fastify 1 MiB).
   * @default '4mb'
   */
  maxBytes?: number | string;
  /**
   * Protocol revisions that the endpoints accept; another `MCP-Protocol-Version` gets 400.
   * @default `2024-10-07`, `2024-11-05`, `2025-03-26`, `2025-06-18`, `2025-11-25` and `2026-07-28`
   */
  versions?: readonly string[];
  /**
   * Tools that may be listed and called without a credential while `auth` is on: names, or patterns such as `'read_*'`.
   *
   * Note: an endpoint on a controller needs `@Public()` too. With `tools.allow`, it also takes `tools.requireAgent: false` and an entry
   * `'*'` that names the tools.
   * @default none
   */
  publicTools?: readonly string[];
  /**
   * The networks from which the endpoints may be called: `'loopback'`, `'private'` (private networks too) or `'any'`. With
   * `'loopback'`, the app does not start if its server listens on another address. A peer that sends forwarded headers and is not named
   * in `trustProxy` is rejected: see docs/mcp.md.
   * @default 'any'
   */
  network?: Network;
  /** Requires a signature on each request, of a proxy that knows one of `secrets`. Each signature is accepted once. @default none */
  proxyProof?: ProxyProofOptions;
}

export interface ResolvedMcp {
  readonly paths: ReadonlySet<string>;
  /** Whole origins, and names of hosts whose ports all count. */
  readonly origins: { readonly exact: ReadonlySet<string>; readonly names: ReadonlySet<string> };
  readonly hosts: HostPatterns | undefined;
  readonly maxBytes: number;
  readonly versions: ReadonlySet<string>;
  /** `undefined` for none. */
  readonly publicTools: NameSet | undefined;
  readonly network: Network;
  readonly proxyProof: ResolvedProxyProof | undefined;
}

/**
 * Off unless it is asked for: an app without an MCP endpoint has no path to check.
 * @returns `undefined` where nothing was said, so that an endpoint nobody thought of is logged
 */
export function resolveMcp(input: unknown): ResolvedMcp | false | undefined {
  if (input === undefined || input === false) return input;
  const options = readObject('mcp', input, [
    'path',
    'origins',
    'hosts',
    'maxBytes',
    'versions',
    'publicTools',
    'network',
    'proxyProof',
  ]);
  const { path, hosts, proxyProof } = options;
  return {
    paths: readMcpPaths(path),
    origins: readOrigins(options.origins),
    hosts:
      hosts === undefined
        ? undefined
        : resolveHostPatterns('mcp.hosts', readStringList('mcp.hosts', hosts, [])),
    maxBytes: readBytes('mcp.maxBytes', options.maxBytes, 4 * 1024 ** 2),
    versions: readVersions(options.versions),
    publicTools: readPublicTools(options.publicTools),
    network: readChoice('mcp.network', options.network, NETWORKS, 'any'),
    proxyProof: proxyProof === undefined ? undefined : resolveProxyProof('mcp.proxyProof', proxyProof),
  };
}

/** Whether a page of this origin may call the endpoints, by `mcp.origins` alone. */
export function isListedOrigin(origin: string, { origins }: Pick<ResolvedMcp, 'origins'>): boolean {
  if (origins.exact.has(origin)) return true;
  if (origins.names.size === 0) return false;
  const parsed: Origin | undefined = readOrigin(origin);
  return parsed !== undefined && /^https?$/.test(parsed.scheme) && origins.names.has(parsed.name);
}

function readOrigins(value: unknown): ResolvedMcp['origins'] {
  const exact = new Set<string>();
  const names = new Set<string>();
  for (const [index, origin] of readStringList('mcp.origins', value, []).entries()) {
    const authority = readAuthority(origin);
    if (authority !== undefined && authority.port === undefined) names.add(authority.name);
    else if (readOrigin(origin) !== undefined) exact.add(origin);
    else {
      throw receivedError(
        'ASEC_ORIGIN_INVALID',
        `mcp.origins[${index}]`,
        "must be an origin or a host's name",
        'Write "https://app.example.com", or "localhost" for all ports of it.',
        origin,
      );
    }
  }
  return { exact, names };
}

function readPublicTools(value: unknown): NameSet | undefined {
  const names = readToolPatterns('mcp.publicTools', value);
  return value === undefined || (value as unknown[]).length === 0 ? undefined : names;
}

function readVersions(value: unknown): ReadonlySet<string> {
  const versions = readStringList('mcp.versions', value, PROTOCOL_VERSIONS);
  for (const [index, version] of versions.entries()) {
    if (/^\d{4}-\d{2}-\d{2}$/.test(version)) continue;
    throw receivedError(
      'ASEC_OPTION_TYPE',
      `mcp.versions[${index}]`,
      'must be a protocol revision',
      'Write its date: "2025-11-25".',
      version,
    );
  }
  return new Set(versions);
}
