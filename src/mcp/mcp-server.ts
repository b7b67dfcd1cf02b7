import type { OnApplicationBootstrap } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import { type Network, guardListening } from '../network/check-network.js';

/** Stops the start-up of a server that listens outside `mcp.network`. */
export class McpServer implements OnApplicationBootstrap {
  constructor(
    private readonly network: Network,
    private readonly host: HttpAdapterHost,
  ) {}

  /** The server exists by now, and does not listen yet. */
  onApplicationBootstrap(): void {
    const server = this.host.httpAdapter?.getHttpServer();
    if (typeof server?.prependListener === 'function') guardListening(server, this.network);
  }
}
