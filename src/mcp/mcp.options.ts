import { readAuthority } from '../common/authority.js';
import {
  bytes,
  choice,
  expandShort,
  list,
  mapped,
  optional,
  type OptionTable,
  readTable,
  type Resolved,
} from '../common/option-table.js';
import { type ForeignNames, renamed } from '../common/foreign-names.js';
import { readTextList, receivedError } from '../common/read-options.js';
import { addExactOrigin, hasExactOrigin, type Origin, readOrigin } from '../cors/origin.js';
import { type HostPatterns, resolveHostPatterns, readHostList } from '../host/host.options.js';
import { type Network, NETWORKS } from '../network/check-network.js';
import { type ProxyProofOptions, resolveProxyProof } from '../network/proxy-proof.js';
import { PROTOCOL_VERSIONS } from './check-protocol.js';
import { readMcpPaths } from './mcp-path.js';
import { readToolPatterns } from '../tools/name-pattern.js';
import type { NameSet } from '../tools/name-map.js';

/**
 * Protects the endpoints of MCP servers (Streamable HTTP).
 * @example
 * AgentSecurityModule.forRoot({ mcp: { path: '/mcp', origins: ['https://app.example.com'], publicTools: ['read_*'] } })
 */
export interface McpOptions {
  /**
   * The paths of the MCP endpoints, on a route or on the raw adapter. A path covers itself, the same path under the app's global prefix
   * and URI versions, and everything below, as `app.use('/mcp', …)` does. The path of a `RouterModule` is part of it. `/:tenant/mcp`
   * covers every tenant. Other patterns such as `/mcp/*`, escapes and queries stop the start-up.
   *
   * Note: a path that no route answers protects nothing, and is logged as a warning at start-up. So is the first MCP response from a path
   * that is not covered. See docs/mcp.md#paths.
   * @default '/mcp'
   */
  path?: string | readonly string[];
  /**
   * Pages that may call the endpoints and read their responses, in addition to those of `cors.origins` and of the app itself: an origin
   * (`'https://app.example.com'`), or a host name for all its ports (`'localhost'`). Any other `Origin` gets 403 on every method.
   * @default []
   * @see MCP 2026-07-28, Streamable HTTP, security warning
   */
  origins?: string | readonly string[];
  /** Narrows `hosts` for the endpoints; never widens it. @default every host of `hosts` */
  hosts?: string | readonly string[];
  /**
   * The largest message, in bytes or as text (`'512kb'`, `'4mb'`); a larger one gets 413. It also limits the tool lists that are filtered
   * and the responses of a session.
   *
   * Note: the body parser of the app has its own limit (Express 100 kB, Fastify 1 MiB): raise it too.
   * @default '4mb'
   */
  maxBytes?: number | string;
  /**
   * The protocol revisions of the endpoints; any other `MCP-Protocol-Version` gets 400 `mcp_version_unsupported`, which names the revisions
   * of the server behind, once that has named them.
   * @default `2024-10-07`, `2024-11-05`, `2025-03-26`, `2025-06-18`, `2025-11-25` and `2026-07-28`
   */
  versions?: readonly string[];
  /**
   * Tools that clients may list and call without a credential while `auth` is on: names, or patterns such as `'read_*'`.
   *
   * Note: an endpoint on a controller needs `@Public()` too. With `tools.allow`, it also needs `tools.requireAgent: false` and an entry
   * `'*'` that names the tools.
   * @default []: every request needs a credential
   */
  publicTools?: readonly string[];
  /**
   * The clients that may call the endpoints: `'loopback'` (this machine), `'private'` (private networks too) or `'any'`. With
   * `'loopback'`, a server that listens on another address stops the start-up. A peer that sends forwarded headers and is not a trusted
   * proxy gets 403. See docs/mcp.md#who-can-reach-it.
   * @default 'any'
   */
  network?: Network;
  /**
   * Requires a signature on each request, made by a proxy that knows one of `secrets`. Each signature is accepted once. See
   * docs/mcp.md#proxy-proof.
   * @default none
   */
  proxyProof?: ProxyProofOptions;
}

const TABLE = {
  path: readMcpPaths,
  origins: readOrigins,
  hosts: optional((option, value): HostPatterns => resolveHostPatterns(option, readHostList(option, value))),
  maxBytes: bytes(4 * 1024 ** 2),
  versions: mapped(list(readVersion, PROTOCOL_VERSIONS), versions => new Set(versions)),
  publicTools: readPublicTools,
  network: choice(NETWORKS, 'any'),
  proxyProof: optional(resolveProxyProof),
} satisfies OptionTable<McpOptions>;

/** The names of the MCP SDK's transport, and near ones. */
const FOREIGN: ForeignNames = {
  endpoint: renamed('path'),
  paths: renamed('path'),
  allowedOrigins: renamed('origins'),
  allowedHosts: renamed('hosts'),
  enableDnsRebindingProtection: 'Remove it: the host and the origin of each request are checked.',
};

/** `undefined` where the option is off. */
export const MCP_STAGE = Symbol('agent-security:mcp-stage');

export type ResolvedMcp = Resolved<typeof TABLE>;

/**
 * Off by default: an app without an MCP endpoint has no path to check.
 * @returns `undefined` where the option is not set, so that an endpoint without protection is logged
 */
export function resolveMcp(input: unknown): ResolvedMcp | false | undefined {
  if (input === undefined || input === false) return input;
  return readTable('mcp', expandShort(input, 'path'), TABLE, FOREIGN);
}

/** Origins, and names of hosts on all ports. */
export interface ListedOrigins {
  readonly exact: ReadonlySet<string>;
  readonly names: ReadonlySet<string>;
}

/** Whether a page of this origin may call the endpoints, by `mcp.origins` alone. */
export function isListedOrigin(origin: string, { origins }: { readonly origins: ListedOrigins }): boolean {
  if (hasExactOrigin(origins.exact, origin)) return true;
  if (origins.names.size === 0) return false;
  const parsed: Origin | undefined = readOrigin(origin);
  return parsed !== undefined && /^https?$/.test(parsed.scheme) && origins.names.has(parsed.name);
}

function readOrigins(option: string, value: unknown): ListedOrigins {
  const exact = new Set<string>();
  const names = new Set<string>();
  for (const [index, origin] of readTextList(option, value, []).entries()) {
    const authority = readAuthority(origin);
    if (authority !== undefined && authority.port === undefined) names.add(authority.name);
    else if (readOrigin(origin) !== undefined) addExactOrigin(exact, origin);
    else {
      throw receivedError(
        'ASEC_ORIGIN_INVALID',
        `${option}[${index}]`,
        "must be an origin or a host's name",
        'Write "https://app.example.com", or "localhost" for all ports of it.',
        origin,
      );
    }
  }
  return { exact, names };
}

function readPublicTools(option: string, value: unknown): NameSet | undefined {
  const names = readToolPatterns(option, value);
  return value === undefined || (value as unknown[]).length === 0 ? undefined : names;
}

function readVersion(option: string, version: unknown): string {
  if (typeof version === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(version)) return version;
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be a protocol revision',
    'Write its date: "2025-11-25".',
    version,
  );
}
