/* Reads the JSON body of a search or an action. */
import type { IncomingMessage } from 'node:http';
import { readBody } from '../common/read-body.js';
import type { Rejection } from '../common/rejection.js';
import type { RequestState } from '../common/request-state.js';
import { parseStrictJson } from '../common/strict-json.js';
import { reject } from './dashboard-answers.js';

const BOUNDS = { maxBytes: 4_096, timeoutMs: 10_000 };
const MAX_DEPTH = 2;
const MAX_KEYS = 10;

const FAULTS = {
  'too-large': reject(413, 'body_too_large', `The body may have at most ${BOUNDS.maxBytes} bytes.`),
  'too-slow': reject(408, 'request_timeout', 'The body did not arrive in time.'),
} as const;

/** @returns `'gone'` for a client that has disconnected */
export async function readJsonBody(
  raw: IncomingMessage,
  state: RequestState,
): Promise<{ readonly value: unknown } | Rejection | 'gone'> {
  // A form of another site cannot send this type without a preflight.
  if (!/^application\/json\s*(?:;|$)/i.test(raw.headers['content-type'] ?? ''))
    return reject(415, 'unsupported_media_type', 'The body is application/json.');
  state.requestBody();
  const reading = await readBody(raw, BOUNDS);
  if (reading.kind === 'gone') return 'gone';
  if (reading.kind !== 'read') return FAULTS[reading.kind];
  const json = parseStrictJson(reading.bytes, MAX_DEPTH, MAX_KEYS);
  return json.valid
    ? { value: json.value }
    : reject(400, 'body_invalid', 'The body is no JSON of this form.');
}
