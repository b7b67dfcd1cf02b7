import { boolean, type OptionTable, readTable, type Resolved } from '../common/option-table.js';

export interface WebSocketsOptions {
  /**
   * Refuses handshakes that do not come over TLS with 403, those of socket.io's HTTP polling too. Behind a proxy that ends TLS, name it
   * in `trustProxy`: without it, no handshake seems to come over TLS.
   * @default false
   */
  requireTls?: boolean;
}

const TABLE = { requireTls: boolean(false) } satisfies OptionTable<WebSocketsOptions>;

export type ResolvedWebSockets = Resolved<typeof TABLE>;

export const resolveWebSockets = (input: unknown): ResolvedWebSockets =>
  readTable('webSockets', input, TABLE);
