/* Parses and validates a token request, before the client is authenticated (RFC 6749 sections 4.4.2 and 5.2). */
import { type ClientCredentials, type Form, readBasic, readForm, readScopes } from './read-form.js';

export interface TokenRequest {
  readonly client: ClientCredentials;
  /** `undefined` for all scopes of the client. */
  readonly scopes: readonly string[] | undefined;
  /** Empty for the default resource. */
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
  | { readonly valid: false; readonly error: TokenError };

const reject = (error: TokenError): TokenRequestDecision => ({ valid: false, error });

const bad = (error: TokenErrorCode, description: string): TokenError => ({ status: 400, error, description });

export const INVALID_CLIENT: TokenError = {
  status: 401,
  error: 'invalid_client',
  description: 'The client ID or the client secret is invalid.',
};

export const OTHER_BODY = bad(
  'invalid_request',
  'The body must be one form of the type application/x-www-form-urlencoded.',
);

/** Parameters that may be repeated. */
const REPEATABLE = new Set(['resource']);

/** @param authorizations all values of the `Authorization` header */
export function readTokenRequest(body: string, authorizations: readonly string[]): TokenRequestDecision {
  const form = readForm(body);
  if (form === undefined) return reject(OTHER_BODY);
  for (const [name, values] of form) {
    if (values.length > 1 && !REPEATABLE.has(name)) {
      return reject(bad('invalid_request', 'A parameter is repeated.'));
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
    return reject(bad('invalid_scope', 'The scope must be a list of scopes, separated by single spaces.'));
  }
  return {
    valid: true,
    request: { client, scopes, resources: form.get('resource')?.filter(Boolean) ?? [] },
  };
}

function readClient(form: Form, authorizations: readonly string[]): ClientCredentials | TokenError {
  const [id, secret] = [one(form, 'client_id'), one(form, 'client_secret')];
  if (authorizations.length > 1) return bad('invalid_request', 'The Authorization header is repeated.');
  const [authorization] = authorizations;
  if (authorization === undefined) {
    if (form.has('client_assertion') || id === undefined || secret === undefined) return INVALID_CLIENT;
    return { id, secret };
  }
  // RFC 6749 section 2.3: one authentication method per request.
  if (secret !== undefined || form.has('client_assertion')) {
    return bad('invalid_request', 'The client authenticates in more than one way.');
  }
  const client = readBasic(authorization);
  if (client === undefined) return INVALID_CLIENT;
  if (id !== undefined && id !== client.id) {
    return bad('invalid_request', 'The client IDs in the header and in the body differ.');
  }
  return client;
}

/** A parameter without a value is treated as omitted (RFC 6749 section 3.2). */
function one(form: Form, name: string): string | undefined {
  return form.get(name)?.[0] || undefined;
}

/** The scopes of the token: those requested, all of which the agent must have. */
export function grantScopes(
  requested: readonly string[] | undefined,
  held: readonly string[],
): readonly string[] | TokenError {
  if (requested === undefined) return held;
  return requested.every(scope => held.includes(scope))
    ? requested
    : bad('invalid_scope', 'The client does not have a requested scope.');
}

/** The audiences of the token (RFC 8707). Identifiers are compared as strings. */
export function grantAudiences(
  requested: readonly string[],
  offered: readonly string[],
): readonly string[] | TokenError {
  if (requested.length === 0) return [offered[0]!];
  return requested.every(resource => offered.includes(resource))
    ? [...new Set(requested)]
    : bad('invalid_target', 'Tokens for a requested resource are not issued here.');
}
