import { readBoolean, readObject } from '../common/read-options.js';

export interface WebSocketsOptions {
  /**
   * Rejects handshakes that do not come over TLS with 403, also those of socket.io's HTTP polling. Behind a proxy that terminates TLS,
   * name it in `trustProxy`: without it, no handshake seems to come over TLS.
   * @default false
   * @see ASVS 5.0, 4.4.1
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
