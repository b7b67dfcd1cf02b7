import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';

/** How long a closing connection takes what its peer still sends. */
const LINGER_MS = 2_000;

const ignore = (): void => undefined;

/**
 * Lets the peer read the response to a request whose body it is still sending (RFC 9112 section 9.6). Node would close both directions at
 * once, and the reset discards the response: nginx answers 502, and a client sees a broken connection in place of a 413 or 429. What
 * still arrives is discarded, and never parsed as another request.
 */
export function lingerOnClose(request: IncomingMessage): void {
  const { socket } = request;
  socket.destroySoon = () => {
    if (request.complete || socket.destroyed) {
      Socket.prototype.destroySoon.call(socket);
      return;
    }
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer)).end();
    socket.resume();
    // Behind the `resume` event, with which Node's HTTP server starts reading again. A listener of `data` makes it stop parsing.
    process.nextTick(() => {
      socket.on('data', ignore);
      socket.removeAllListeners('data').removeAllListeners('end');
      socket.once('end', () => socket.destroy());
    });
  };
}
