/* The records of a key book by their IDs, as a store looks them up. */
import type { AgentRecord, ApiKeyRecord } from '../identity/api-key-store.js';
import { type KeyBook, readTime } from './key-book.js';

export interface KeyIndex {
  readonly keys: ReadonlyMap<string, ApiKeyRecord>;
  readonly agents: ReadonlyMap<string, AgentRecord>;
}

/** Indexes the records of a book by their IDs. */
export function indexKeyBook(book: KeyBook): KeyIndex {
  const agents = new Map(
    Object.entries(book.agents).map(([id, agent]): [string, AgentRecord] => [
      id,
      { ...agent, id, scopes: agent.scopes ?? [] },
    ]),
  );
  const keys = new Map(
    book.keys.map((key): [string, ApiKeyRecord] => [
      key.id,
      {
        id: key.id,
        digest: key.digest,
        agent: agents.get(key.agent)!,
        scopes: key.scopes,
        notBeforeMs: key.notBefore === undefined ? undefined : readTime(key.notBefore),
        expiresMs: key.expires === undefined ? undefined : readTime(key.expires),
        revoked: key.revoked !== undefined,
      },
    ]),
  );
  return { keys, agents };
}
