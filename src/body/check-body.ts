/* What a body says about itself before it is read, and what a parsed JSON body must not hold. */
import type { ProblemFields } from '../common/problem.js';
import { MAX_CONTAINERS } from '../common/scan-json.js';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Judges the declared framing: too long, of no known end, or nothing at all where the type says JSON. */
export function checkDeclaredBody(
  method: string,
  headers: Headers,
  maxBytes: number,
): ProblemFields | undefined {
  const transfer = headers['transfer-encoding'];
  // Node's parser refuses such a body only behind its headers, when a handler may already run (RFC 9112 section 6.3).
  if (transfer !== undefined && String(transfer).toLowerCase() !== 'chunked') {
    return {
      status: 400,
      code: 'body_invalid',
      detail: 'The only Transfer-Encoding that is understood is chunked.',
    };
  }
  // A list of types is none (RFC 9110 section 8.3): each reader would choose another of them.
  if (/^[^;]*,/.test(String(headers['content-type'] ?? ''))) {
    return {
      status: 415,
      code: 'unsupported_media_type',
      detail: 'The Content-Type must be one media type.',
    };
  }
  const type = headers['content-type'];
  // JSON is UTF-8 (RFC 8259 section 8.1). One platform would read another charset, the other would not look at it.
  if (isJson(type) && /;\s*charset\s*=(?!\s*"?utf-?8"?\s*(?:;|$))/i.test(type)) {
    return { status: 415, code: 'unsupported_media_type', detail: 'JSON is sent in UTF-8.' };
  }
  const declared = headers['content-length'];
  if (declared === undefined) return undefined;
  const length = Number(declared);
  if (length > maxBytes) {
    return tooLargeProblem(maxBytes);
  }
  if (length === 0 && method !== 'GET' && method !== 'HEAD' && isJson(type)) {
    return { status: 400, code: 'body_invalid', detail: 'The Content-Type says JSON, but there is no body.' };
  }
  return undefined;
}

/** Whether a body comes in a coding (RFC 9110 section 8.4). */
export function isCoded(headers: Headers): boolean {
  return !/^(?:identity)?$/i.test(String(headers['content-encoding'] ?? ''));
}

/**
 * For a parsed body whose coding nobody has undone: Fastify's parsers do not look at Content-Encoding, so that what was parsed is not what a
 * proxy in front has checked.
 */
export const CODED_PROBLEM: ProblemFields = {
  status: 415,
  code: 'unsupported_media_type',
  detail: 'The Content-Encoding of the body is not supported.',
};

export function isJson(contentType: string | string[] | undefined): contentType is string {
  return typeof contentType === 'string' && /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType);
}

/** Values that a body of the parsers' own limits cannot hold: more means that it was made by something else than a parser. */
const MAX_VALUES = 2_000_000;

/**
 * Looks through a parsed JSON body or form for what only an attack sends: a key that reaches a prototype (`__proto__`, or
 * `constructor` with a `prototype`), or nesting beyond `maxDepth`. It keeps lists, not a stack of calls, so that no depth can
 * overflow it, and it ends also on a body that holds itself.
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
    if (depth > maxDepth) return tooDeepProblem(maxDepth);
    const next: object[] = [];
    for (const node of level) {
      const isList = Array.isArray(node);
      const found = isList ? addItems(node, next) : addMembers(node as Record<string, unknown>, next);
      if (found === -1) return invalid('The body holds a key that is not allowed.');
      if (!isList && (keys += found) > maxKeys) return tooManyKeysProblem(maxKeys);
      values += found;
      if (values > MAX_VALUES) return invalid('The body holds too many values.');
    }
    level = next;
  }
  return undefined;
}

/** What parsers make: arrays and plain objects. A Buffer, a stream or an upload's own object is not looked into. */
function isNode(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Fastify's forms have an empty prototype of their own.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function addItems(items: readonly unknown[], next: object[]): number {
  for (let index = 0; index < items.length; index++) {
    const value = items[index];
    if (typeof value === 'object' && isNode(value)) next.push(value);
  }
  return items.length;
}

/** How many members there are, or -1 for one with a forbidden name. */
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

const invalid = (detail: string): ProblemFields => ({ status: 400, code: 'body_invalid', detail });

export const tooDeepProblem = (maxDepth: number): ProblemFields =>
  invalid(`The body may nest ${maxDepth} levels deep.`);

export const tooManyKeysProblem = (maxKeys: number): ProblemFields =>
  invalid(`The body may have ${maxKeys} keys.`);

export const tooManyContainersProblem: ProblemFields = invalid(
  `The body may have ${MAX_CONTAINERS} arrays and objects.`,
);

export const duplicateKeyProblem: ProblemFields = invalid('An object of the body has two keys of one name.');

export const notUtf8Problem: ProblemFields = invalid('JSON is sent in UTF-8, and the body is not.');

export const tooLargeProblem = (maxBytes: number): ProblemFields => ({
  status: 413,
  code: 'body_too_large',
  detail: `The body may have at most ${maxBytes} bytes.`,
});

/** Uploads hold objects of their library, which may refer to each other; their fields are text. */
export function isMultipart(headers: Headers): boolean {
  return String(headers['content-type'] ?? '')
    .toLowerCase()
    .startsWith('multipart/');
}
