/* What is checked while an app with MCP endpoints starts: the address that its server listens on, and the routes that answer `mcp.path`. */
import { type OnApplicationBootstrap, VersioningType } from '@nestjs/common';
import type { AbstractHttpAdapter, ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { whenAdapterIsSet } from '../common/adapter-host.js';
import { type Log, logLine } from '../common/log-text.js';
import type { Network } from '../network/check-network.js';
import { guardListening } from '../network/guard-listening.js';
import type { McpPaths, RouteMount } from './mcp-path.js';

/** Stops a server that listens outside `mcp.network`, and warns of an MCP path that no route answers. */
export class McpStartup implements OnApplicationBootstrap {
  #readRoutes: ReadRoutes | undefined;

  constructor(
    private readonly network: Network,
    private readonly paths: McpPaths,
    private readonly host: HttpAdapterHost,
    private readonly log: Log,
  ) {
    whenAdapterIsSet(host, adapter => {
      this.#readRoutes = collectRoutes(adapter);
    });
  }

  /** The server exists by now, and does not listen yet. */
  onApplicationBootstrap(): void {
    const server = this.host.httpAdapter?.getHttpServer();
    if (typeof server?.prependListener !== 'function') return;
    guardListening(server, this.network);
    // Libraries mount their routes until the server listens.
    server.once('listening', () => this.#checkRoutes());
  }

  #checkRoutes(): void {
    const routes = this.#readRoutes?.();
    if (routes === undefined) return;
    for (const path of this.paths.unanswered(routes)) {
      this.log.warn(
        logLine`mcp.path "${path}" protects nothing: no route of the app takes POST at ${this.paths.describe(path)}. If your MCP endpoint has another path, set mcp.path to it.`,
      );
    }
  }
}

export function readMount(config: ApplicationConfig): RouteMount {
  const versioning = config.getVersioning();
  const versionPrefix = versioning?.type === VersioningType.URI ? (versioning.prefix ?? 'v') : undefined;
  return {
    prefix: config.getGlobalPrefix().split('/').filter(Boolean).join('/'),
    versionPrefix: versionPrefix === false ? '' : versionPrefix,
  };
}

/** The paths of routes that take POST; `undefined` where one of them is a pattern that may match anything. */
type ReadRoutes = () => readonly string[] | undefined;

/** Call it before routes are added: Fastify reports each route once, when it is added. */
function collectRoutes(adapter: AbstractHttpAdapter): ReadRoutes {
  const instance = adapter.getInstance<{
    /** Express. */
    readonly router?: { readonly stack?: readonly Layer[] };
    /** Fastify. */
    addHook?(
      name: 'onRoute',
      hook: (route: { method: string | readonly string[]; url: string }) => void,
    ): void;
  }>();
  if (adapter.getType() !== 'fastify')
    return () => plainPaths((instance.router?.stack ?? []).flatMap(pathsOfLayer));
  const paths: string[] = [];
  instance.addHook?.('onRoute', ({ method, url }) => {
    if (method.includes('POST')) paths.push(url);
  });
  return () => plainPaths(paths);
}

/** What of a route of Express is read here: a layer of its router's stack. */
interface Layer {
  readonly rawPath?: unknown;
  readonly slash?: boolean;
  readonly route?: { readonly path: unknown; readonly methods: Readonly<Record<string, boolean>> };
}
function pathsOfLayer({ rawPath, slash, route }: Layer): unknown {
  if (route !== undefined) return route.methods['post'] || route.methods['_all'] ? route.path : [];
  // Middleware on every path answers none in particular.
  return slash ? [] : rawPath;
}

const plainPaths = (paths: readonly unknown[]): readonly string[] | undefined =>
  paths.every(path => typeof path === 'string' && !path.includes('*')) ? (paths as string[]) : undefined;
