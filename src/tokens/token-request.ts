/* What is asked of the token endpoint, before anybody is asked whether it may have it (RFC 6749 sections 4.4.2 and 5.2). */
import { type ClientCredentials, type Form, readBasic, readForm, readScopes } from './read-form.js';

export interface TokenRequest {
  readonly client: ClientCredentials;
  /** Whether the client named itself in the `Authorization` header: then a refusal names the scheme. */
  readonly basic: boolean;
  /** `undefined` for all that it has. */
  readonly scopes: readonly string[] | undefined;
  /** Empty for the default. */
  readonly resources: readonly string[];
}

/** RFC 6749 section 5.2, RFC 8707 section 2, RFC 9449 section 5. */
export type TokenErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'invalid_dpop_proof'
  | 'temporarily_unavailable';

export interface TokenError {
  readonly status: number;
  readonly error: TokenErrorCode;
  readonly description: string;
}

export type TokenRequestDecision =
  | { readonly valid: true; readonly request: TokenRequest }
  | { readonly valid: false; readonly error: TokenError; readonly basic: boolean };

const bad = (error: TokenErrorCode, description: string): TokenError => ({ status: 400, error, description });

export const INVALID_CLIENT: TokenError = {
  status: 401,
  error: 'invalid_client',
  description: 'The client is unknown, or its secret is not the right one.',
};

export const OTHER_BODY = bad(
  'invalid_request',
  'The body must be one form of the type application/x-www-form-urlencoded.',
);

/** Parameters that may come several times. */
const REPEATABLE = new Set(['resource']);

/** @param authorizations every value of the header that came */
export function readTokenRequest(body: string, authorizations: readonly string[]): TokenRequestDecision {
  const basic = authorizations.length > 0;
  const reject = (error: TokenError): TokenRequestDecision => ({ valid: false, error, basic });
  const form = readForm(body);
  if (form === undefined) return reject(OTHER_BODY);
  for (const [name, values] of form) {
    if (values.length > 1 && !REPEATABLE.has(name)) {
      return reject(bad('invalid_request', 'A parameter comes more than once.'));
    }
  }
  const grantType = one(form, 'grant_type');
  if (grantType === undefined) return reject(bad('invalid_request', 'The parameter grant_type is missing.'));
  if (grantType !== 'client_credentials') {
    return reject(bad('unsupported_grant_type', 'The only grant type is client_credentials.'));
  }
  const client = readClient(form, authorizations);
  if ('error' in client) return reject(client);
  const scope = one(form, 'scope');
  const scopes = scope === undefined ? undefined : readScopes(scope);
  if (scope !== undefined && scopes === undefined) {
    return reject(bad('invalid_scope', 'The scope is no list of scopes with single spaces between them.'));
  }
  return {
    valid: true,
    request: { client, basic, scopes, resources: form.get('resource')?.filter(Boolean) ?? [] },
  };
}

function readClient(form: Form, authorizations: readonly string[]): ClientCredentials | TokenError {
  const [id, secret] = [one(form, 'client_id'), one(form, 'client_secret')];
  if (authorizations.length > 1)
    return bad('invalid_request', 'The Authorization header comes more than once.');
  const [authorization] = authorizations;
  if (authorization === undefined) {
    if (form.has('client_assertion') || id === undefined || secret === undefined) return INVALID_CLIENT;
    return { id, secret };
  }
  // RFC 6749 section 2.3: one method a request.
  if (secret !== undefined || form.has('client_assertion')) {
    return bad('invalid_request', 'The client authenticates in more than one way.');
  }
  const client = readBasic(authorization);
  if (client === undefined) return INVALID_CLIENT;
  if (id !== undefined && id !== client.id) {
    return bad('invalid_request', 'The client names itself in two ways that differ.');
  }
  return client;
}

/** A parameter without a value counts as left out (RFC 6749 section 3.2). */
function one(form: Form, name: string): string | undefined {
  return form.get(name)?.[0] || undefined;
}

/** The scopes of the token: what was asked for, as far as the agent has it; never more. */
export function grantScopes(
  asked: readonly string[] | undefined,
  held: readonly string[],
): readonly string[] | TokenError {
  if (asked === undefined) return held;
  return asked.every(scope => held.includes(scope))
    ? asked
    : bad('invalid_scope', 'The client may not have a scope that it asks for.');
}

/** The audiences of the token (RFC 8707). Identifiers are compared as they are written. */
export function grantAudiences(
  asked: readonly string[],
  offered: readonly string[],
): readonly string[] | TokenError {
  if (asked.length === 0) return [offered[0]!];
  return asked.every(resource => offered.includes(resource))
    ? [...new Set(asked)]
    : bad('invalid_target', 'A resource that is asked for is not served from here.');
}
