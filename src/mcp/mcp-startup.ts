/* What is checked while an app with MCP endpoints starts: the address that its server listens on, and the routes that answer `mcp.path`. */
import type { OnApplicationBootstrap } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import { type Log, logLine } from '../common/log-text.js';
import type { AppRoutes } from '../http/app-routes.js';
import type { Network } from '../network/check-network.js';
import { guardListening } from '../network/guard-listening.js';
import type { McpPaths } from './mcp-path.js';

/** Stops a server that listens outside `mcp.network`, and warns of an MCP path that no route answers. */
export class McpStartup implements OnApplicationBootstrap {
  constructor(
    private readonly network: Network,
    private readonly paths: McpPaths,
    private readonly host: HttpAdapterHost,
    private readonly routes: Pick<AppRoutes, 'paths'>,
    private readonly log: Log,
  ) {}

  /** The server exists by now, and does not listen yet. */
  onApplicationBootstrap(): void {
    const server = this.host.httpAdapter?.getHttpServer();
    if (typeof server?.prependListener !== 'function') return;
    guardListening(server, this.network);
    // Libraries mount their routes until the server listens.
    server.once('listening', () => this.#checkRoutes());
  }

  #checkRoutes(): void {
    const routes = this.routes.paths('POST');
    if (routes === undefined) return;
    for (const path of this.paths.unanswered(routes)) {
      this.log.warn(
        logLine`mcp.path "${path}" protects nothing: no route of the app takes POST at ${this.paths.describe(path)}. If your MCP endpoint has another path, set mcp.path to it.`,
      );
    }
  }
}
