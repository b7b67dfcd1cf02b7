/* Sets the time limits of Node's HTTP server, and tracks its connections: closing the app ends running requests and waits until their
 * 'close' listeners have run. */
import type { Socket } from 'node:net';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type Closable, RESOLVED_OPTIONS } from '../common/feature.js';
import { logLine } from '../common/log-text.js';
import { TIMERS, type Timers } from '../common/clock.js';
import { within } from '../common/within.js';
import type { ResolvedTimeout } from './timeout.options.js';

/** Node emits 'close' right after a connection is destroyed; other servers may not. */
const CLOSED_WITHIN_MS = 1_000;

@Injectable()
export class ServerConnections implements OnApplicationBootstrap, BeforeApplicationShutdown, Closable {
  readonly #sockets = new Set<Socket>();
  #onEmpty: (() => void) | undefined;
  #timer: unknown;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: { readonly timeout: ResolvedTimeout | false },
    @Inject(TIMERS) private readonly timers: Timers,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
  ) {}

  /** The server exists now and does not listen yet. */
  onApplicationBootstrap(): void {
    const server = this.host.httpAdapter?.getHttpServer();
    if (typeof server?.listeners !== 'function') return;
    const { timeout } = this.options;
    if (timeout !== false) setServerLimits(server, timeout);
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        if (this.#sockets.size === 0) this.#onEmpty?.();
      });
    });
  }

  /** Nest closes the server next, which waits for running requests: at most `timeout.shutdown`. */
  beforeApplicationShutdown(): void {
    const { timeout } = this.options;
    if (timeout === false || timeout.shutdown === false) return;
    this.#timer = this.timers.start(timeout.shutdown, () => {
      const count = this.#sockets.size;
      if (count > 0)
        new Logger('AgentSecurity').warn(
          logLine`${count} connections were still open at the end of timeout.shutdown, and were closed. Tool calls on them end as aborted.`,
        );
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  /**
   * Resolves when every connection has closed and the listeners of the responses have run. The server emits 'close'
   * when its last connection is destroyed, before that connection emits 'close'.
   */
  async close(): Promise<void> {
    this.timers.stop(this.#timer);
    if (this.#sockets.size > 0) {
      const empty = new Promise<void>(resolve => (this.#onEmpty = resolve));
      await within(empty, CLOSED_WITHIN_MS).catch(() => undefined);
    }
    // HTTP/2 streams close after their connection.
    await new Promise(resolve => setImmediate(resolve));
  }
}

/** HTTP/2 servers have other limits, and servers of other libraries may have none. */
type LimitedServer = {
  [K in 'headersTimeout' | 'requestTimeout' | 'keepAliveTimeout' | 'connectionsCheckingInterval']?: number;
};

/** Sets limits that the app has not set, and never raises those that it has set. */
function setServerLimits(server: LimitedServer, { headers, request, keepAlive }: ResolvedTimeout): void {
  if (server.headersTimeout === undefined || server.requestTimeout === undefined) return;
  server.headersTimeout = chooseMs(server.headersTimeout, headers, [60_000], 20_000);
  // Fastify's default is 0: no limit.
  server.requestTimeout = chooseMs(server.requestTimeout, request, [300_000, 0], 120_000);
  if (server.keepAliveTimeout !== undefined)
    server.keepAliveTimeout = chooseMs(server.keepAliveTimeout, keepAlive, [5_000, 65_000, 72_000]);
  // Node checks every 30 s, so that a limit of 20 s could apply after 50 s. The interval is read when the server begins to listen.
  const shortest = Math.min(server.headersTimeout || Infinity, server.requestTimeout || Infinity);
  const { connectionsCheckingInterval: current } = server;
  if (current !== undefined && shortest !== Infinity)
    server.connectionsCheckingInterval = Math.min(current, Math.max(50, Math.floor(shortest / 4)));
}

function chooseMs(
  current: number,
  given: number | false | undefined,
  platformMs: readonly number[],
  fallbackMs = current,
): number {
  if (given === false) return current;
  // A value that differs from the platforms' defaults was set by the app.
  const isPlatforms = platformMs.includes(current);
  if (given === undefined) return isPlatforms ? fallbackMs : current;
  return isPlatforms || current === 0 ? given : Math.min(current, given);
}
