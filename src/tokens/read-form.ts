/* Parses the form of a token request (RFC 6749 section 4.4.2) and the client's Basic credentials (section 2.3.1). */
import { isScope } from '../identity/create-agent.js';
import { checkParsedBody } from '../body/check-body.js';
import { isRecord } from '../common/read-options.js';
import { parseStrictJson } from '../common/scan-json.js';

const MAX_PARAMETERS = 32;

export type Form = ReadonlyMap<string, readonly string[]>;

/** The parameters of `application/x-www-form-urlencoded` with all of their values; `undefined` for invalid text. */
export function readForm(body: string): Form | undefined {
  const form = new Map<string, string[]>();
  if (body === '') return form;
  const pairs = body.split('&', MAX_PARAMETERS + 1);
  if (pairs.length > MAX_PARAMETERS) return undefined;
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = decodeFormText(equals === -1 ? pair : pair.slice(0, equals));
    const value = decodeFormText(equals === -1 ? '' : pair.slice(equals + 1));
    if (name === undefined || value === undefined) return undefined;
    const values = form.get(name);
    if (values === undefined) form.set(name, [value]);
    else values.push(value);
  }
  return form;
}

export interface ClientCredentials {
  readonly id: string;
  readonly secret: string;
}

const BASIC = /^Basic ([A-Za-z0-9+/]+={0,2})$/i;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The form-encoded credentials of an `Authorization` header (RFC 6749 section 2.3.1); `undefined` for anything else. */
export function readBasic(authorization: string): ClientCredentials | undefined {
  const match = authorization.length > 1_024 ? null : BASIC.exec(authorization);
  if (match === null) return undefined;
  const bytes = Buffer.from(match[1]!, 'base64');
  if (bytes.toString('base64') !== match[1]!.padEnd(Math.ceil(match[1]!.length / 4) * 4, '='))
    return undefined;
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return undefined;
  }
  const colon = text.indexOf(':');
  if (colon < 1) return undefined;
  const id = decodeFormText(text.slice(0, colon));
  const secret = decodeFormText(text.slice(colon + 1));
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Decodes a name or value of a form; `undefined` for invalid escapes or invalid UTF-8. */
function decodeFormText(text: string): string | undefined {
  if (!/[+%]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

const MAX_SCOPES_LENGTH = 4_096;

/** Parses a list of scopes and removes duplicates (RFC 6749 section 3.3); `undefined` for an invalid list. */
export function readScopes(text: string): readonly string[] | undefined {
  if (text.length > MAX_SCOPES_LENGTH) return undefined;
  const scopes = text.split(' ');
  return scopes.every(isScope) ? [...new Set(scopes)] : undefined;
}

/* Parses the JSON of tokens strictly: no duplicate names (RFC 7519 section 4, RFC 8725 section 2.4) and no prototype-polluting keys. */

/** Claims and headers are small and flat. The length of a token is bounded as well. */
const MAX_DEPTH = 64;
const MAX_KEYS = 10_000;

/** Parses a JSON object; `undefined` for anything else, for duplicate names, and for `__proto__`. */
export function readJsonObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  const json = parseStrictJson(bytes, MAX_DEPTH, MAX_KEYS);
  if (!json.valid || !isRecord(json.value)) return undefined;
  return checkParsedBody(json.value, MAX_DEPTH) === undefined ? json.value : undefined;
}
