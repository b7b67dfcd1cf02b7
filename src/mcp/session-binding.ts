/* Binds MCP sessions (revisions up to 2025-11-25, "Session Management") to the agent that opened them. The client gets the server's session
 * ID with a signature over the ID and the agent; the server gets its own ID back. Nothing is stored. The key belongs to the process, as the
 * sessions of MCP servers do. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { whenResponseEnds } from '../common/response-end.js';
import type { MessageId } from './read-messages.js';

export const SESSION_HEADER = 'mcp-session-id';

export class SessionBinding {
  readonly #key = randomBytes(32);

  /** The session ID as the client of an agent gets it; `undefined` stands for clients without a credential. */
  sign(id: string, agent: string | undefined): string {
    return `${id}.${this.#signature(id, agent)}`;
  }

  /** Puts the server's own session ID into the request. @returns false for a session that this agent did not open */
  unwrap(raw: IncomingMessage, agent: string | undefined): boolean {
    const header = raw.headers[SESSION_HEADER];
    if (header === undefined) return true;
    const signed = String(header);
    const end = signed.lastIndexOf('.');
    if (end === -1) return false;
    const id = signed.slice(0, end);
    const given = Buffer.from(signed.slice(end + 1), 'latin1');
    const expected = Buffer.from(this.#signature(id, agent), 'latin1');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
    setRequestHeader(raw, SESSION_HEADER, id);
    return true;
  }

  #signature(id: string, agent: string | undefined): string {
    // JSON keeps the two apart, and an agent from none.
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([agent ?? null, id]))
      .digest('base64url');
  }
}

/**
 * The requests of sessions that have no answer yet. A session answers by ID: of two with one ID, each could get the answer of the other,
 * and the audit its outcome. It holds as many IDs as requests are in flight.
 */
export class RequestsInFlight {
  readonly #keys = new Set<string>();

  /** @returns false where one of the IDs is that of a request in flight; nothing is then added */
  add(session: string, ids: readonly MessageId[], response: ServerResponse): boolean {
    const keys = ids.map(id => JSON.stringify([session, id]));
    if (keys.some(key => this.#keys.has(key))) return false;
    for (const key of keys) this.#keys.add(key);
    if (keys.length > 0) whenResponseEnds(response, () => keys.forEach(key => this.#keys.delete(key)));
    return true;
  }
}

/** Replaces or removes a request header in both forms in which Node keeps it: servers read either. */
export function setRequestHeader(raw: IncomingMessage, name: string, value: string | undefined): void {
  const { headers, rawHeaders } = raw;
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    if (rawHeaders[index]!.toLowerCase() === name) rawHeaders.splice(index, 2);
  }
  delete headers[name];
  if (value === undefined) return;
  headers[name] = value;
  rawHeaders.push(name, value);
}
