/* Parses the JSON of tokens strictly: no duplicate names (RFC 7519 section 4, RFC 8725 section 2.4) and no prototype-polluting keys. */
import { checkParsedBody } from '../body/check-body.js';
import { isRecord } from '../common/read-options.js';
import { parseStrictJson } from '../common/strict-json.js';

/** Claims and headers are small and flat. The length of a token is bounded as well. */
const MAX_DEPTH = 64;
const MAX_KEYS = 10_000;

/** Parses a JSON object; `undefined` for anything else, for duplicate names, and for `__proto__`. */
export function readJsonObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  const json = parseStrictJson(bytes, MAX_DEPTH, MAX_KEYS);
  if (!json.valid || !isRecord(json.value)) return undefined;
  return checkParsedBody(json.value, MAX_DEPTH) === undefined ? json.value : undefined;
}
