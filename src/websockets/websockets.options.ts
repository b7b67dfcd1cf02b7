import { readBoolean, readObject } from '../common/read-options.js';

export interface WebSocketsOptions {
  /**
   * Refuses handshakes that do not come over TLS with 403, those of socket.io's HTTP polling too. Behind a proxy that ends TLS, name it
   * in `trustProxy`: without it, no handshake seems to come over TLS.
   * @default false
   */
  requireTls?: boolean;
}

export interface ResolvedWebSockets {
  readonly requireTls: boolean;
}

export function resolveWebSockets(input: unknown): ResolvedWebSockets {
  const options = readObject('webSockets', input, ['requireTls']);
  return { requireTls: readBoolean('webSockets.requireTls', options.requireTls, false) };
}
