/* Reads the messages of a POST to an MCP endpoint, and leaves its body for the server. */
import type { IncomingMessage } from 'node:http';
import { tooLargeProblem } from '../body/check-body.js';
import type { ProblemFields } from '../common/problem.js';
import { readBody } from '../common/read-body.js';
import type { RequestState } from '../common/request-state.js';
import { type McpRejection, toRejection } from './mcp-answer.js';
import { type McpBody, readMessages } from './read-messages.js';

export interface ReadPostOptions {
  readonly maxBytes: number;
  readonly maxKeys: number;
  /** Checks the bytes before they are parsed. */
  readonly checkBytes: (bytes: Uint8Array) => McpRejection | undefined;
}

/** @returns `'gone'` where the client left */
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
  const rejection = checkBytes(reading.bytes);
  if (rejection !== undefined) return rejection;
  const messages = readMessages(reading.bytes, maxKeys);
  if (messages.valid) return messages.body;
  const { rpcCode, detail, id } = messages.fault;
  return toRejection({ status: 400, code: 'mcp_invalid', detail }, { rpcCode, id });
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
