/* Parses and validates a token request, before the client is authenticated (RFC 6749 sections 4.4.2 and 5.2). */
import { isUtf8 } from 'node:buffer';
import { isScope } from '../identity/create-agent.js';

export interface TokenRequest {
  readonly client: ClientCredentials;
  /** `undefined` for all scopes of the client. */
  readonly scopes: readonly string[] | undefined;
  /** Empty for the default resource. */
  readonly resources: readonly string[];
}

interface ClientCredentials {
  readonly id: string;
  readonly secret: string;
}

export interface TokenError {
  readonly status: number;
  readonly error: TokenErrorCode;
  readonly description: string;
}

/** RFC 6749 sections 4.1.2.1 and 5.2, RFC 8707 section 2, RFC 9449 section 5. */
type TokenErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'invalid_dpop_proof'
  | 'temporarily_unavailable'
  | 'unsupported_response_type';

export const tokenError = (error: TokenErrorCode, description: string, status = 400): TokenError => ({
  status,
  error,
  description,
});

export const INVALID_CLIENT = tokenError(
  'invalid_client',
  'The client ID or the client secret is invalid.',
  401,
);

export const OTHER_BODY = tokenError(
  'invalid_request',
  'The body must be one form of the type application/x-www-form-urlencoded.',
);

/** @param authorizations all values of the `Authorization` header */
export function readTokenRequest(body: string, authorizations: readonly string[]): TokenRequest | TokenError {
  const form = readForm(body);
  if (form === undefined) return OTHER_BODY;
  for (const [name, values] of form) {
    if (values.length > 1 && name !== 'resource')
      return tokenError('invalid_request', 'A parameter is repeated.');
  }
  const grantType = one(form, 'grant_type');
  if (grantType === undefined) return tokenError('invalid_request', 'The parameter grant_type is missing.');
  if (grantType !== 'client_credentials') {
    return tokenError('unsupported_grant_type', 'The only grant type is client_credentials.');
  }
  const client = readClient(form, authorizations);
  if ('error' in client) return client;
  const scope = one(form, 'scope');
  const scopes = scope === undefined ? undefined : readScopes(scope);
  if (scope !== undefined && scopes === undefined) {
    return tokenError('invalid_scope', 'The scope must be a list of scopes, separated by single spaces.');
  }
  return { client, scopes, resources: form.get('resource')?.filter(Boolean) ?? [] };
}

function readClient(form: Form, authorizations: readonly string[]): ClientCredentials | TokenError {
  const [id, secret] = [one(form, 'client_id'), one(form, 'client_secret')];
  if (authorizations.length > 1)
    return tokenError('invalid_request', 'The Authorization header is repeated.');
  const [authorization] = authorizations;
  if (authorization === undefined) {
    if (form.has('client_assertion') || id === undefined || secret === undefined) return INVALID_CLIENT;
    return { id, secret };
  }
  // RFC 6749 section 2.3: one authentication method per request.
  if (secret !== undefined || form.has('client_assertion')) {
    return tokenError('invalid_request', 'The client authenticates in more than one way.');
  }
  const client = readBasic(authorization);
  if (client === undefined) return INVALID_CLIENT;
  if (id !== undefined && id !== client.id) {
    return tokenError('invalid_request', 'The client IDs in the header and in the body differ.');
  }
  return client;
}

/** A parameter without a value is treated as omitted (RFC 6749 section 3.2). */
function one(form: Form, name: string): string | undefined {
  return form.get(name)?.[0] || undefined;
}

const MAX_PARAMETERS = 32;

type Form = ReadonlyMap<string, readonly string[]>;

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

const BASIC = /^Basic ([A-Za-z0-9+/]+={0,2})$/i;

/** The form-encoded credentials of an `Authorization` header (RFC 6749 section 2.3.1); `undefined` for anything else. */
export function readBasic(authorization: string): ClientCredentials | undefined {
  const [, encoded = ''] = (authorization.length > 1_024 ? null : BASIC.exec(authorization)) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  const isCanonical = bytes.toString('base64') === encoded.padEnd(Math.ceil(encoded.length / 4) * 4, '=');
  if (!isCanonical || !isUtf8(bytes)) return undefined;
  const text = bytes.toString();
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

/** The scopes of the token: those requested, all of which the agent must have. */
export function grantScopes(
  requested: readonly string[] | undefined,
  held: readonly string[],
): readonly string[] | TokenError {
  if (requested === undefined) return held;
  return requested.every(scope => held.includes(scope))
    ? requested
    : tokenError('invalid_scope', 'The client does not have a requested scope.');
}

/** The audiences of the token (RFC 8707). Identifiers are compared as strings. */
export function grantAudiences(
  requested: readonly string[],
  offered: readonly string[],
): readonly string[] | TokenError {
  if (requested.length === 0) return [offered[0]!];
  return requested.every(resource => offered.includes(resource))
    ? [...new Set(requested)]
    : tokenError('invalid_target', 'Tokens for a requested resource are not issued here.');
}
