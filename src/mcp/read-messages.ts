/* Reads the JSON-RPC messages of a POST (JSON-RPC 2.0; MCP "Base Protocol"), each of exactly one kind. An ambiguous message (a method
 * and a result, an invalid ID) is rejected. */
import type { IncomingMessage } from 'node:http';
import { checkParsedBody, tooLargeProblem } from '../body/check-body.js';
import type { ProblemFields } from '../common/problem.js';
import { readBody } from '../common/read-body.js';
import { isRecord } from '../common/read-options.js';
import type { RequestState } from '../common/request-state.js';
import { parseStrictJson } from '../common/strict-json.js';
import { DRAINABLE_BYTES } from '../http/unread-body.js';
import { invalidMessage, type McpRejection, toRejection } from './mcp-exchange.js';

export type MessageId = string | number;

export interface McpMessage {
  readonly kind: 'request' | 'notification' | 'response';
  /** `''` for a response. */
  readonly method: string;
  /** `undefined` for a notification. */
  readonly id: MessageId | undefined;
  readonly params: Readonly<Record<string, unknown>> | undefined;
  /** The tool that a `tools/call` names. */
  readonly tool?: string | undefined;
}

export interface McpBody {
  /** Whether the messages came as an array, as revision 2025-03-26 allows. */
  readonly batch: boolean;
  readonly messages: readonly McpMessage[];
}

/** More messages in one request than any client sends: each is checked. */
const MAX_BATCH = 50;
const MAX_ID_LENGTH = 256;
const MAX_NAME_LENGTH = 1_024;
const MAX_DEPTH = 64;

export const TOOLS_CALL = 'tools/call';
export const TOOLS_LIST = 'tools/list';

/** The longest body that is read for its IDs: a shorter one would be read to its end after the answer too, to keep the connection. */
const MAX_ANSWERED_BYTES = DRAINABLE_BYTES;
/** How long a rejection waits for the body. Clients send it with the head. */
const MAX_WAIT_MS = 1_000;

/** Reads the messages of a request that is rejected, so that the answer has their IDs. @returns nothing where they cannot be read soon */
export async function readRejectedIds(
  raw: IncomingMessage,
  { maxBytes, maxKeys }: Pick<ReadPostOptions, 'maxBytes' | 'maxKeys'>,
): Promise<Pick<McpRejection, 'unchecked' | 'id'>> {
  const limit = Math.min(maxBytes, MAX_ANSWERED_BYTES);
  // A client that waits for `100 Continue` is not asked for a body that is rejected already.
  if (raw.method !== 'POST' || raw.headers.expect !== undefined || checkHead(raw, limit) !== undefined)
    return {};
  const reading = await readBody(raw, { maxBytes: limit, timeoutMs: MAX_WAIT_MS });
  if (reading.kind !== 'read') return {};
  const body = readMessages(reading.bytes, maxKeys);
  return 'problem' in body ? { id: body.id } : { unchecked: body };
}

interface ReadPostOptions {
  readonly maxBytes: number;
  readonly maxKeys: number;
  /** Checks the bytes before they are parsed. */
  readonly checkBytes: (bytes: Uint8Array) => Promise<McpRejection | undefined>;
}

/** Reads the messages of a POST, and leaves its body for the server. @returns `'gone'` where the client left */
export async function readPost(
  raw: IncomingMessage,
  state: RequestState,
  { maxBytes, maxKeys, checkBytes }: ReadPostOptions,
): Promise<McpBody | McpRejection | 'gone'> {
  const unreadable = checkHead(raw, maxBytes);
  if (unreadable !== undefined) return toRejection(unreadable);
  state.requestBody();
  const reading = await readBody(raw, { maxBytes, putBack: true });
  if (reading.kind === 'gone') return 'gone';
  if (reading.kind !== 'read') return toRejection(tooLargeProblem(maxBytes));
  const rejection = await checkBytes(reading.bytes);
  if (rejection !== undefined) return rejection;
  return readMessages(reading.bytes, maxKeys);
}

/** What must hold before a body is read: one JSON text in UTF-8, without a coding. */
function checkHead({ headers }: IncomingMessage, maxBytes: number): ProblemFields | undefined {
  const type = String(headers['content-type'] ?? '');
  // With another charset or a coding, the body parser would read something else than what was checked.
  const match = /^application\/json[ \t]*(?:;[ \t]*charset[ \t]*=[ \t]*"?([\w-]+)"?[ \t]*)?$/i.exec(type);
  const coding = headers['content-encoding'];
  if (match === null || (match[1] !== undefined && !/^utf-?8$/i.test(match[1])))
    return unsupported('A message must be application/json in UTF-8.');
  if (coding !== undefined && coding.toLowerCase() !== 'identity')
    return unsupported('A message must not have a Content-Encoding.');
  return Number(headers['content-length'] ?? 0) > maxBytes ? tooLargeProblem(maxBytes) : undefined;
}

const unsupported = (detail: string): ProblemFields => ({
  status: 415,
  code: 'unsupported_media_type',
  detail,
});

/** @param maxKeys how many keys the objects of the body may have together */
function readMessages(bytes: Uint8Array, maxKeys: number): McpBody | McpRejection {
  const json = parseStrictJson(bytes, MAX_DEPTH, maxKeys);
  if (!json.valid) return invalidMessage(json.reason === 'syntax' ? -32700 : -32600, FAULTS[json.reason]);
  const hostile = checkParsedBody(json.value, MAX_DEPTH);
  if (hostile !== undefined) return invalidMessage(-32600, hostile.detail!);
  const batch = Array.isArray(json.value);
  const items = batch ? (json.value as unknown[]) : [json.value];
  if (items.length === 0 || items.length > MAX_BATCH) {
    return invalidMessage(-32600, `A batch holds 1 to ${MAX_BATCH} messages.`);
  }
  const messages: McpMessage[] = [];
  const ids = new Set<MessageId>();
  for (const item of items) {
    const message = readMessage(item);
    if (typeof message === 'string') return invalidMessage(-32600, message, idOf(item));
    if (message.kind === 'request') {
      if (ids.has(message.id!)) return invalidMessage(-32600, 'Two requests of the batch have one ID.');
      ids.add(message.id!);
    }
    if (message.method === TOOLS_CALL && message.tool === undefined) {
      return invalidMessage(-32602, 'A tools/call names the tool in params.name.', message.id);
    }
    messages.push(message);
  }
  return { batch, messages };
}

/** A text of `params` that is a name: not empty, and of bounded length. */
export function nameIn(params: McpMessage['params'], field: string): string | undefined {
  const value = params !== undefined && Object.hasOwn(params, field) ? params[field] : undefined;
  return typeof value === 'string' && value !== '' && value.length <= MAX_NAME_LENGTH ? value : undefined;
}

const FAULTS = {
  syntax: 'The body is not JSON in UTF-8.',
  'duplicate-key': 'An object of the body has a key twice.',
  'too-deep': `The body may nest ${MAX_DEPTH} levels deep.`,
  'too-many-keys': 'The body has too many keys.',
  'too-many-containers': 'The body has too many arrays and objects.',
} as const;

function readMessage(item: unknown): McpMessage | string {
  if (!isRecord(item) || item['jsonrpc'] !== '2.0') return 'The body is not a JSON-RPC 2.0 message.';
  const { method, params, id } = item;
  const answers = Object.hasOwn(item, 'result') || Object.hasOwn(item, 'error');
  if (!Object.hasOwn(item, 'method')) {
    if (!answers || (Object.hasOwn(item, 'result') && Object.hasOwn(item, 'error')))
      return 'A message is a request, a notification or a response.';
    // An error may answer a request whose ID could not be read.
    if (!isId(id) && !Object.hasOwn(item, 'error')) return 'A response has the ID of its request.';
    return { kind: 'response', method: '', id: isId(id) ? id : undefined, params: undefined };
  }
  if (answers) return 'A message is a request, a notification or a response.';
  if (typeof method !== 'string' || method === '' || method.length > MAX_NAME_LENGTH)
    return 'The method is a name.';
  if (params !== undefined && !isRecord(params)) return 'The params are an object.';
  const tool = method === TOOLS_CALL ? nameIn(params, 'name') : undefined;
  if (!Object.hasOwn(item, 'id')) return { kind: 'notification', method, id: undefined, params, tool };
  if (!isId(id)) return 'The ID is a text or a whole number.';
  return { kind: 'request', method, id, params, tool };
}

function isId(id: unknown): id is MessageId {
  return (typeof id === 'string' && id.length <= MAX_ID_LENGTH) || Number.isSafeInteger(id);
}

const idOf = (item: unknown): MessageId | undefined =>
  isRecord(item) && isId(item['id']) ? item['id'] : undefined;
