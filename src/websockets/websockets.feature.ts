/* The option `webSockets`. The edge applies it to handshakes. */
import type { Feature } from '../common/feature.js';
import { boolean, type OptionTable, readTable, type Resolved } from '../common/option-table.js';
import type { ProblemFields } from '../common/problem.js';

/**
 * Checks of WebSocket handshakes.
 * @example
 * AgentSecurityModule.forRoot({ webSockets: { requireTls: true }, trustProxy: 'loopback' })
 */
export interface WebSocketsOptions {
  /**
   * Rejects handshakes without TLS with 403 `tls_required`, including those of socket.io's HTTP polling. Behind a proxy that terminates
   * TLS, name the proxy in `trustProxy`; otherwise every handshake is rejected.
   * @default false
   * @see ASVS 5.0, 4.4.1
   */
  requireTls?: boolean;
}

const TABLE = { requireTls: boolean(false) } satisfies OptionTable<WebSocketsOptions>;

export type ResolvedWebSockets = Resolved<typeof TABLE>;

export const WEB_SOCKETS: Feature<'webSockets', ResolvedWebSockets> = {
  key: 'webSockets',
  resolve: input => readTable('webSockets', input, TABLE),
};

export const TLS_PROBLEM: ProblemFields = {
  status: 403,
  code: 'tls_required',
  detail: 'A connection must be opened over TLS.',
};
