/* The key book: the agents and keys of an app as one JSON document. The file, the environment variable and Redis hold one, and the command
 * `keys` changes it. Books are immutable: each change returns a new one. */
import { isRecord } from '../common/read-options.js';
import { show } from '../common/show-value.js';
import { isAgentId, isScope } from '../identity/create-agent.js';
import { createApiKey, ID_LENGTH, isKeyDigest, type KeyDigests } from './api-key.js';

/**
 * An agent of a key book.
 * @example
 * const agent: KeyBookAgent = { scopes: ['reports:read'], tools: ['read_*'], tier: 'free' };
 */
export interface KeyBookAgent {
  scopes?: readonly string[];
  tier?: string;
  tenant?: string;
  tools?: readonly string[];
  claims?: Readonly<Record<string, unknown>>;
  /** Rejects all keys and tokens of the agent. */
  disabled?: boolean;
}

/**
 * A key of a key book. It holds the digest of the key, never the secret.
 * @example
 * const key: KeyBookKey = { id: created.id, agent: 'reporting', digest, expires: '2027-01-01T00:00:00Z' };
 */
export interface KeyBookKey {
  id: string;
  agent: string;
  digest: string;
  /** This and the following times are ISO 8601 with a time zone. */
  created?: string;
  notBefore?: string;
  expires?: string;
  revoked?: string;
  /** A subset of the agent's scopes. @default all of them */
  scopes?: readonly string[];
}

/**
 * All API keys and their agents, by agent ID: the content of the key file and of the key in Redis.
 * @example
 * const book: KeyBook = { agents: { reporting: { scopes: ['reports:read'] } }, keys: [] };
 */
export interface KeyBook {
  readonly agents: Readonly<Record<string, KeyBookAgent>>;
  readonly keys: readonly KeyBookKey[];
}

/**
 * A key book without agents and keys, to start from.
 * @example
 * const { book, key } = addKey(EMPTY_BOOK, 'reporting', {}, digests, { prefix: 'ask', nowMs: Date.now() });
 */
export const EMPTY_BOOK: KeyBook = { agents: {}, keys: [] };

/**
 * Says what is wrong with a key book. The message contains no digest.
 * @example
 * const isInvalid = (error: unknown): boolean => error instanceof KeyBookError;
 */
export class KeyBookError extends Error {
  override readonly name = 'KeyBookError';
}

const AGENT_FIELDS = ['scopes', 'tier', 'tenant', 'tools', 'claims', 'disabled'];
const KEY_FIELDS = ['id', 'agent', 'digest', 'created', 'notBefore', 'expires', 'revoked', 'scopes'];

/**
 * Reads and checks the JSON of a key book, for example from a secrets manager.
 * @throws KeyBookError for text that is not a valid key book
 * @example
 * const book = parseKeyBook(await secrets.get('api-keys'));
 */
export function parseKeyBook(text: string): KeyBook {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new KeyBookError('is not JSON');
  }
  return checkKeyBook(value);
}

/** @throws KeyBookError for a value that is not a valid key book */
export function checkKeyBook(value: unknown): KeyBook {
  const isBook = isRecord(value) && isRecord(value['agents']) && Array.isArray(value['keys']);
  check(isBook, 'must be an object with "agents" and "keys"');
  rejectOthers('', value, ['agents', 'keys']);
  const { agents, keys } = value as unknown as KeyBook;
  for (const [id, agent] of Object.entries(agents)) checkAgent(id, agent);
  const ids = new Set<string>();
  for (const [index, key] of keys.entries()) {
    checkKey(`keys[${index}]`, key, agents);
    check(!ids.has(key.id), `keys[${index}].id is a duplicate`);
    ids.add(key.id);
  }
  return value as unknown as KeyBook;
}

function checkAgent(id: string, agent: unknown): void {
  const at = `agents[${show(id)}]`;
  check(isAgentId(id), `${at} is not a valid agent ID: 1 to 256 visible ASCII characters`);
  check(isRecord(agent), `${at} must be an object`);
  rejectOthers(`${at}.`, agent, AGENT_FIELDS);
  const { scopes, tools, claims, disabled } = agent;
  checkScopes(`${at}.scopes`, scopes);
  check(tools === undefined || isTexts(tools), `${at}.tools must be a list of strings`);
  for (const name of ['tier', 'tenant']) {
    const text = agent[name];
    const isValid = text === undefined || (typeof text === 'string' && text !== '');
    check(isValid, `${at}.${name} must be a non-empty string`);
  }
  check(claims === undefined || isRecord(claims), `${at}.claims must be an object`);
  check(disabled === undefined || typeof disabled === 'boolean', `${at}.disabled must be true or false`);
}

function checkKey(at: string, key: unknown, agents: KeyBook['agents']): void {
  check(isRecord(key), `${at} must be an object`);
  rejectOthers(`${at}.`, key, KEY_FIELDS);
  const { id, agent, digest, scopes } = key;
  check(typeof id === 'string' && id.length === ID_LENGTH, `${at}.id is not a key ID`);
  check(typeof agent === 'string' && Object.hasOwn(agents, agent), `${at}.agent is not in "agents"`);
  check(typeof digest === 'string' && isKeyDigest(digest), `${at}.digest is not the digest of a key`);
  checkScopes(`${at}.scopes`, scopes);
  for (const name of ['created', 'notBefore', 'expires', 'revoked']) {
    const time = key[name];
    const isValid = time === undefined || (typeof time === 'string' && !Number.isNaN(readTime(time)));
    check(isValid, `${at}.${name} is not a time: write it as 2030-01-31T12:00:00Z`);
  }
}

function checkScopes(at: string, scopes: unknown): void {
  if (scopes === undefined) return;
  check(isTexts(scopes), `${at} must be a list of strings`);
  check(
    scopes.every(isScope),
    `${at} has an invalid scope: use visible ASCII without quotes and backslashes`,
  );
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every(item => typeof item === 'string');

function check(isValid: boolean, message: string): asserts isValid {
  if (!isValid) throw new KeyBookError(message);
}

/** A misspelt field must not be ignored: a key with `expire` would never expire. */
function rejectOthers(at: string, value: object, known: readonly string[]): void {
  const other = Object.keys(value).find(name => !known.includes(name));
  check(other === undefined, `${at}${other} is not a known field: ${known.join(', ')}`);
}

/** An ISO 8601 time with its zone: without a zone it would be another moment on another machine. `NaN` for other text. */
export function readTime(text: string): number {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
}

/* ---- changes ---- */

/**
 * The parts of a new key. Times are milliseconds since the epoch; `prefix` is that of `auth.apiKeys`.
 * @example
 * const options: NewKey = { prefix: 'ask', nowMs, expiresMs: nowMs + 90 * 86_400_000 };
 */
export interface NewKey {
  readonly prefix: string;
  readonly nowMs: number;
  readonly notBeforeMs?: number | undefined;
  readonly expiresMs?: number | undefined;
  readonly scopes?: readonly string[] | undefined;
}

/**
 * A new key, and the key book that has it.
 * @example
 * const { book, id, key }: CreatedKey = addKey(EMPTY_BOOK, 'reporting', {}, digests, { prefix: 'ask', nowMs });
 */
export interface CreatedKey {
  readonly book: KeyBook;
  readonly id: string;
  /** The whole key, with its secret. It is stored nowhere. */
  readonly key: string;
}

/**
 * Creates a key for an agent. The agent is added, or updated with the fields of `agent`. The given book does not change.
 * @throws KeyBookError for an invalid agent, scope or time
 * @example
 * const options = { prefix: 'ask', nowMs: Date.now() };
 * const { book, key } = addKey(EMPTY_BOOK, 'reporting', { scopes: ['reports:read'] }, digests, options);
 */
export function addKey(
  book: KeyBook,
  agentId: string,
  agent: KeyBookAgent,
  digests: KeyDigests,
  { prefix, nowMs, notBeforeMs, expiresMs, scopes }: NewKey,
): CreatedKey {
  const created = createApiKey(prefix);
  const entry: KeyBookKey = {
    id: created.id,
    agent: agentId,
    digest: digests.create(created),
    created: isoTime(nowMs),
    ...(notBeforeMs === undefined ? {} : { notBefore: isoTime(notBeforeMs) }),
    ...(expiresMs === undefined ? {} : { expires: isoTime(expiresMs) }),
    ...(scopes === undefined ? {} : { scopes }),
  };
  const known = Object.hasOwn(book.agents, agentId) ? book.agents[agentId] : undefined;
  const changed = checkKeyBook({
    agents: { ...book.agents, [agentId]: { scopes: [], ...known, ...agent } },
    keys: [...book.keys, entry],
  });
  return { book: changed, id: created.id, key: created.text };
}

/**
 * Creates a key that replaces another. The old key expires after `overlapMs` milliseconds.
 * @throws KeyBookError for an unknown or revoked key
 * @example
 * const { book: changed, key } = rotateKey(book, id, 86_400_000, digests, { prefix: 'ask', nowMs: Date.now() });
 */
export function rotateKey(
  book: KeyBook,
  id: string,
  overlapMs: number,
  digests: KeyDigests,
  options: NewKey,
): CreatedKey {
  const old = findKey(book, id);
  if (old.revoked !== undefined) throw new KeyBookError(`${id} is revoked: create a new key instead`);
  const scopes = options.scopes ?? old.scopes;
  const created = addKey(book, old.agent, {}, digests, { ...options, scopes });
  const endMs = options.nowMs + overlapMs;
  const expiresMs = old.expires === undefined ? endMs : Math.min(endMs, readTime(old.expires));
  return { ...created, book: changeKey(created.book, id, { expires: isoTime(expiresMs) }) };
}

/**
 * Revokes a key from `nowMs` (milliseconds since the epoch) on. A key that is revoked keeps its time of revocation.
 * @throws KeyBookError for an unknown key ID
 * @example
 * const changed = revokeKey(book, id, Date.now());
 */
export function revokeKey(book: KeyBook, id: string, nowMs: number): KeyBook {
  const { revoked } = findKey(book, id);
  return changeKey(book, id, { revoked: revoked ?? isoTime(nowMs) });
}

/**
 * Disables an agent, with all of its keys and tokens, or enables it again.
 * @throws KeyBookError for an unknown agent
 * @example
 * const changed = setAgentDisabled(book, 'reporting', true);
 */
export function setAgentDisabled(book: KeyBook, agentId: string, disabled: boolean): KeyBook {
  if (!Object.hasOwn(book.agents, agentId)) throw new KeyBookError(`There is no agent ${show(agentId)}`);
  const { disabled: _disabled, ...rest } = book.agents[agentId]!;
  const agent = disabled ? { ...rest, disabled } : rest;
  return { ...book, agents: { ...book.agents, [agentId]: agent } };
}

function findKey(book: KeyBook, id: string): KeyBookKey {
  const key = book.keys.find(candidate => candidate.id === id);
  if (key === undefined) throw new KeyBookError(`There is no key ${show(id)}`);
  return key;
}

function changeKey(book: KeyBook, id: string, change: Partial<KeyBookKey>): KeyBook {
  return { ...book, keys: book.keys.map(key => (key.id === id ? { ...key, ...change } : key)) };
}

const isoTime = (ms: number): string => new Date(ms).toISOString();
