/* JSON of a stranger whose names decide something: each name once (RFC 7519 section 4, RFC 8725 section 2.4), and none that reaches a
 * prototype. */
import { checkParsedBody } from '../body/check-body.js';
import { isRecord } from '../common/read-options.js';
import { parseStrictJson } from '../common/strict-json.js';

/** Claims and headers are small and flat; a token's length bounds the rest. */
const MAX_DEPTH = 64;
const MAX_KEYS = 10_000;

/** The object that the bytes hold; `undefined` for anything else, for a name that comes twice, and for `__proto__`. */
export function readJsonObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  const json = parseStrictJson(bytes, MAX_DEPTH, MAX_KEYS);
  if (!json.valid || !isRecord(json.value)) return undefined;
  return checkParsedBody(json.value, MAX_DEPTH) === undefined ? json.value : undefined;
}
