/* The HTTP requests by which engine.io (socket.io's transport) opens a connection where no WebSocket can be had. They are handshakes that
 * no upgrade announces, on whatever path the gateway has chosen. */
import type { ProblemFields } from '../common/problem.js';

export const TLS_PROBLEM: ProblemFields = {
  status: 403,
  code: 'tls_required',
  detail: 'A connection is opened over TLS only.',
};

export type PollingRequest = 'opening' | 'polling';

/** What a target asks of engine.io; `undefined` for nothing. */
export function readPolling(target: string): PollingRequest | undefined {
  const query = target.indexOf('?');
  // Asked for every request: a name that is written with escapes is looked at more closely.
  if (query === -1 || !/transport|%/i.test(target.slice(query))) return undefined;
  const parameters = new URLSearchParams(target.slice(query + 1).split('#', 1)[0]);
  if (!parameters.getAll('transport').includes('polling')) return undefined;
  // An ID of nothing is none to engine.io, which then opens a connection.
  return parameters.get('sid') ? 'polling' : 'opening';
}
