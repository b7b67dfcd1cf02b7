/* What a body says about itself before it is read, and what a parsed JSON body must not hold. */
import type { ProblemFields } from '../common/problem.js';

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
  const declared = headers['content-length'];
  if (declared === undefined) return undefined;
  const length = Number(declared);
  if (length > maxBytes) {
    return { status: 413, code: 'body_too_large', detail: `The body may have at most ${maxBytes} bytes.` };
  }
  if (length === 0 && method !== 'GET' && method !== 'HEAD' && isJson(headers['content-type'])) {
    return { status: 400, code: 'body_invalid', detail: 'The Content-Type says JSON, but there is no body.' };
  }
  return undefined;
}

/** Codings that a parser may have undone (RFC 9110 section 8.4.1). */
const CODINGS = /^(?:identity|x-gzip|gzip|deflate|br|zstd|compress)$/i;

/**
 * A parsed body under a coding that nobody knows was parsed as if it had none: Fastify's parser does not look at
 * Content-Encoding, and what a proxy in front has checked was then something else.
 */
export function checkContentCoding(headers: Headers): ProblemFields | undefined {
  const coding = headers['content-encoding'];
  if (coding === undefined) return undefined;
  if (typeof coding === 'string' && coding.split(',').every(item => CODINGS.test(item.trim())))
    return undefined;
  return {
    status: 415,
    code: 'unsupported_media_type',
    detail: 'The Content-Encoding of the body is not supported.',
  };
}

function isJson(contentType: string | string[] | undefined): boolean {
  return typeof contentType === 'string' && /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType);
}

/**
 * Looks through a parsed body for what only an attack sends: a key that reaches a prototype (`__proto__`, or `constructor`
 * with a `prototype`), or nesting beyond `maxDepth`. It keeps a list, not a stack of calls, so that no depth can overflow it.
 */
export function checkParsedBody(body: unknown, maxDepth: number): ProblemFields | undefined {
  if (typeof body !== 'object' || body === null || Buffer.isBuffer(body)) return undefined;
  let level: object[] = [body];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > maxDepth) return invalid(`JSON may nest ${maxDepth} levels deep.`);
    const next: object[] = [];
    for (const node of level) {
      for (const key of Object.keys(node)) {
        const value = (node as Record<string, unknown>)[key];
        if (key === '__proto__' || (key === 'constructor' && holdsPrototype(value))) {
          return invalid('The body holds a key that is not allowed.');
        }
        if (typeof value === 'object' && value !== null) next.push(value);
      }
    }
    level = next;
  }
  return undefined;
}

const holdsPrototype = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype');

const invalid = (detail: string): ProblemFields => ({ status: 400, code: 'body_invalid', detail });
