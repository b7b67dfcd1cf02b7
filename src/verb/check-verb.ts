/* Custom verbs. Node's parser rejects unknown methods, so a verb is sent as POST with X-HTTP-Method-Override: a header
 * that no form can send, and that a script of another origin may send only after a preflight. */
import { METHODS } from 'node:http';
import type { ProblemFields } from '../common/problem.js';
import { receivedError } from '../common/read-options.js';

/** The injection token of the set of all verbs of the app. */
export const VERBS = Symbol('agent-security:verbs');

/** The metadata key of `@Verb()`. */
export const VERB_KEY = 'agent-security:verb';

export const OVERRIDE_HEADER = 'X-HTTP-Method-Override';
const OVERRIDE_FIELD = 'x-http-method-override';

/** Reads a verb. Verbs are case-sensitive, like methods (RFC 9110 section 9.1). */
export function readVerb(option: string, verb: unknown): string {
  if (typeof verb === 'string' && /^[A-Z][A-Z0-9-]{1,31}$/.test(verb) && !METHODS.includes(verb)) return verb;
  throw receivedError(
    'ASEC_METHOD_NAME',
    option,
    'must be a verb of your own',
    'Write it in upper case, such as "SUMMARIZE"; for methods of HTTP, Nest has decorators such as @Delete().',
    verb,
  );
}

interface Head {
  readonly method?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * Reads the verb of a request: `undefined` for none, or the problem of a header that names no verb. Without verbs in the app, the header is
 * ignored: a POST never becomes a DELETE.
 */
export function checkVerb(
  { method, headers }: Head,
  verbs: ReadonlySet<string>,
): string | ProblemFields | undefined {
  const override = headers[OVERRIDE_FIELD];
  if (override === undefined || verbs.size === 0) return undefined;
  if (typeof override === 'string' && method === 'POST' && verbs.has(override)) return override;
  const allow = `GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, ${[...verbs].join(', ')}`;
  const detail =
    method === 'POST'
      ? `${OVERRIDE_HEADER} must name a verb of this API.`
      : `${OVERRIDE_HEADER} is for POST only.`;
  return { status: 405, code: 'method_not_allowed', detail, allow };
}

/** The problem of a method that Node's parser does not know. The bytes may also be no HTTP at all, so they are not repeated. */
export function unknownMethodProblem(verbs: ReadonlySet<string>): ProblemFields {
  const remedy =
    verbs.size === 0
      ? `Methods are case-sensitive, and this API declares no verb for ${OVERRIDE_HEADER}.`
      : `Send a verb of this API as POST with ${OVERRIDE_HEADER}: ${[...verbs].join(' or ')}.`;
  const detail = `The request does not begin with a method that the server can read. ${remedy}`;
  return { status: 400, code: 'request_malformed', detail };
}
