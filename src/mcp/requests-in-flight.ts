import type { IncomingMessage, ServerResponse } from 'node:http';
import { whenResponseEnds } from '../common/response-end.js';
import { invalidMessage, type McpRejection } from './mcp-exchange.js';
import type { McpMessage } from './read-messages.js';
import { SESSION_HEADER } from './session-binding.js';

/**
 * The requests of sessions that have no answer yet. A session answers by ID: of two with one ID, each could get the answer of the other,
 * and the audit its outcome. It holds as many IDs as requests are in flight.
 */
export class RequestsInFlight {
  readonly #keys = new Set<string>();

  /** @returns the rejection where one of the requests has the ID of a request in flight; nothing is then added */
  add(
    raw: IncomingMessage,
    response: ServerResponse,
    messages: readonly McpMessage[],
  ): McpRejection | undefined {
    const session = raw.headers[SESSION_HEADER];
    if (session === undefined) return undefined;
    const requests = messages.filter(({ kind }) => kind === 'request');
    const keys = requests.map(({ id }) => JSON.stringify([session, id]));
    if (keys.some(key => this.#keys.has(key))) return ID_IN_FLIGHT;
    for (const key of keys) this.#keys.add(key);
    if (keys.length > 0) whenResponseEnds(response, () => keys.forEach(key => this.#keys.delete(key)));
    return undefined;
  }
}

const ID_IN_FLIGHT = invalidMessage(-32600, 'A request of this session with this ID has no answer yet.');
