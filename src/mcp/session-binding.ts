/* Binds MCP sessions (revisions up to 2025-11-25, "Session Management") to the agent that opened them. The client gets the server's session
 * ID with a signature over the ID and the agent; the server gets its own ID back. Nothing is stored. The key belongs to the process, as the
 * sessions of MCP servers do. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type McpRejection, toRejection } from './mcp-exchange.js';

export const SESSION_HEADER = 'mcp-session-id';

export class SessionBinding {
  readonly #key = randomBytes(32);

  /** The session ID as the client of an agent gets it; `undefined` stands for clients without a credential. */
  sign(id: string, agent: string | undefined): string {
    return `${id}.${this.#signature(id, agent)}`;
  }

  /** Puts the server's own session ID into the request. A session of another agent gets the answer of one that does not exist. */
  unwrap(raw: IncomingMessage, agent: string | undefined): McpRejection | undefined {
    const header = raw.headers[SESSION_HEADER];
    if (header === undefined) return undefined;
    const signed = String(header);
    const end = signed.lastIndexOf('.');
    if (end === -1) return SESSION_UNKNOWN;
    const id = signed.slice(0, end);
    const given = Buffer.from(signed.slice(end + 1), 'latin1');
    const expected = Buffer.from(this.#signature(id, agent), 'latin1');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return SESSION_UNKNOWN;
    setRequestHeader(raw, SESSION_HEADER, id);
    return undefined;
  }

  #signature(id: string, agent: string | undefined): string {
    // JSON keeps the two apart, and an agent from none.
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([agent ?? null, id]))
      .digest('base64url');
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

const SESSION_UNKNOWN = toRejection(
  { status: 404, code: 'mcp_session_unknown', detail: 'There is no such session.' },
  // As the SDK's servers answer.
  { rpcCode: -32001 },
);
