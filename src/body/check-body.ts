/* Checks the declared framing of a body before it is read, and a parsed JSON body or form. */
import type { ProblemFields } from '../common/problem.js';
import { type JsonFault, MAX_CONTAINERS } from '../common/scan-json.js';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Checks the headers: the declared length, Transfer-Encoding, Content-Type, and JSON without a body. */
export function checkDeclaredBody(
  method: string,
  headers: Headers,
  maxBytes: number,
): ProblemFields | undefined {
  const transfer = headers['transfer-encoding'];
  // Node's parser rejects such a body only after its headers, when a handler may already run (RFC 9112 section 6.3).
  if (transfer !== undefined && String(transfer).toLowerCase() !== 'chunked') {
    return invalid('The only supported Transfer-Encoding is chunked.');
  }
  // Content-Type is a singleton field (RFC 9110 section 8.3): of a list, each parser would choose another type.
  if (/^[^;]*,/.test(String(headers['content-type'] ?? ''))) {
    return unsupported('The Content-Type must be one media type.');
  }
  const type = headers['content-type'];
  // JSON is UTF-8 (RFC 8259 section 8.1). Express would decode another charset, Fastify would ignore it.
  if (isJson(type) && /;\s*charset\s*=(?!\s*"?utf-?8"?\s*(?:;|$))/i.test(type)) {
    return unsupported('JSON must be encoded in UTF-8.');
  }
  const declared = headers['content-length'];
  if (declared === undefined) return undefined;
  const length = Number(declared);
  if (length > maxBytes) return tooLargeProblem(maxBytes);
  return length === 0 && needsBody(method) && isJson(type) ? EMPTY_JSON_PROBLEM : undefined;
}

/** Many clients send `Content-Type: application/json` with every request. A DELETE usually has no body (RFC 9110 section 9.3.5). */
export const needsBody = (method: string): boolean =>
  method !== 'GET' && method !== 'HEAD' && method !== 'DELETE';

export const EMPTY_JSON_PROBLEM = invalid('The Content-Type says JSON, but there is no body.');

export const POLLUTION_PROBLEM = invalid('The body contains a key that is not allowed.');

export const CONTENT_TYPE_PROBLEM = unsupported('No body parser reads this Content-Type.');

/** Whether the headers announce a body. */
export const isBodyDeclared = (headers: Headers): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Whether a body has a Content-Encoding (RFC 9110 section 8.4). */
export function hasContentEncoding(headers: Headers): boolean {
  return !/^(?:identity)?$/i.test(String(headers['content-encoding'] ?? ''));
}

/**
 * For a parsed body whose Content-Encoding was not decoded: Fastify's parsers ignore the header, so that they parse
 * other bytes than a proxy has checked.
 */
export const ENCODING_PROBLEM = unsupported('The Content-Encoding of the body is not supported.');

export function isJson(contentType: string | string[] | undefined): contentType is string {
  return typeof contentType === 'string' && /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType);
}

/** More values than a body within the parsers' limits can contain. */
const MAX_VALUES = 2_000_000;

/**
 * Rejects a parsed JSON body or form with a prototype-polluting key (`__proto__`, or `constructor` with a `prototype`), with nesting beyond
 * `maxDepth`, or with too many keys. It is not recursive, so no depth overflows the stack, and it ends on cyclic objects.
 */
export function checkParsedBody(
  body: unknown,
  maxDepth: number,
  maxKeys = Infinity,
): ProblemFields | undefined {
  if (!isNode(body)) return undefined;
  let level: object[] = [body];
  let values = 0;
  let keys = 0;
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > maxDepth) return jsonProblem('depth', maxDepth, maxKeys);
    const next: object[] = [];
    for (const node of level) {
      const isList = Array.isArray(node);
      const found = isList ? addItems(node, next) : addMembers(node as Record<string, unknown>, next);
      if (found === -1) return POLLUTION_PROBLEM;
      if (!isList && (keys += found) > maxKeys) return jsonProblem('keys', maxDepth, maxKeys);
      values += found;
      if (values > MAX_VALUES) return invalid('The body contains too many values.');
    }
    level = next;
  }
  return undefined;
}

/** Whether a value is an array or a plain object, as parsers create them. Buffers, streams and uploads are skipped. */
function isNode(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Fastify's parser of forms creates objects with an empty prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function addItems(items: readonly unknown[], next: object[]): number {
  for (let index = 0; index < items.length; index++) {
    const value = items[index];
    if (typeof value === 'object' && isNode(value)) next.push(value);
  }
  return items.length;
}

/** The number of members, or -1 if a key is prototype-polluting. */
function addMembers(members: Record<string, unknown>, next: object[]): number {
  let count = 0;
  for (const key in members) {
    const value = members[key];
    if (key === '__proto__' || (key === 'constructor' && holdsPrototype(value))) return -1;
    if (typeof value === 'object' && isNode(value)) next.push(value);
    count++;
  }
  return count;
}

const holdsPrototype = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype');

function invalid(detail: string): ProblemFields {
  return { status: 400, code: 'body_invalid', detail };
}

function unsupported(detail: string): ProblemFields {
  return { status: 415, code: 'unsupported_media_type', detail };
}

/** The problem of JSON that the scanner or the check of a parsed body rejects. */
export function jsonProblem(fault: JsonFault, maxDepth: number, maxKeys: number): ProblemFields {
  const details: Readonly<Record<JsonFault, string>> = {
    duplicate: 'An object of the body has a duplicate key.',
    depth: `The body may have at most ${maxDepth} levels of nesting.`,
    containers: `The body may have at most ${MAX_CONTAINERS} arrays and objects.`,
    keys: `The body may have at most ${maxKeys} keys.`,
    utf8: 'JSON must be encoded in UTF-8, and the body is not.',
  };
  return invalid(details[fault]);
}

export const tooLargeProblem = (maxBytes: number): ProblemFields => ({
  status: 413,
  code: 'body_too_large',
  detail: `The body may have at most ${maxBytes} bytes.`,
});

/** Multipart bodies are not checked: uploads are objects of their library, and their fields are text. */
export function isMultipart(headers: Headers): boolean {
  return String(headers['content-type'] ?? '')
    .toLowerCase()
    .startsWith('multipart/');
}
