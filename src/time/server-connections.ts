/* The connections of the server, so that closing the app can end what is under way and wait until everybody has heard of it. */
import type { Server, Socket } from 'node:net';
import { within } from '../common/within.js';
import type { Timers } from '../common/timers.js';

/** A connection that is destroyed says so at once; this is for a server of another kind, which may not. */
const CLOSED_WITHIN_MS = 1_000;

export class ServerConnections {
  readonly #sockets = new Set<Socket>();
  #onEmpty: (() => void) | undefined;
  #timer: unknown;

  constructor(private readonly timers: Timers) {}

  /** Follows the connections that come from now on. */
  follow(server: Pick<Server, 'on'>): void {
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        if (this.#sockets.size === 0) this.#onEmpty?.();
      });
    });
  }

  /** Cuts off what is still under way after so long. @param onCut told of how many connections that were */
  cutAfter(ms: number, onCut: (count: number) => void): void {
    this.#timer = this.timers.start(ms, () => {
      onCut(this.#sockets.size);
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  /**
   * Settles when every connection has closed and all listeners of their responses have run. A server says that it has closed when its last
   * connection is destroyed, which is before that connection's own 'close'.
   */
  async closed(): Promise<void> {
    this.timers.stop(this.#timer);
    if (this.#sockets.size > 0) {
      const empty = new Promise<void>(resolve => (this.#onEmpty = resolve));
      await within(empty, CLOSED_WITHIN_MS).catch(() => undefined);
    }
    // Streams of HTTP/2 close after their connection.
    await new Promise(resolve => setImmediate(resolve));
  }
}
