/* Where a request carries its credential. Everything that could be read in two ways is refused: Node keeps the first of two
 * Authorization lines without a word, and another server on the way may keep the other. */

export type CredentialScheme = 'api-key' | 'bearer' | 'dpop';

export type CredentialReading =
  /** Nothing, or a scheme that is not ours (Basic): RFC 6750 section 3.1 calls both the lack of authentication information. */
  | { readonly kind: 'none' }
  | { readonly kind: 'credential'; readonly scheme: CredentialScheme; readonly credential: string }
  /** A credential that cannot be one: refused as a bad one is. */
  | { readonly kind: 'malformed' }
  /** More than one, so that nobody can say whose request it is. */
  | { readonly kind: 'ambiguous' };

export interface CredentialSource {
  readonly rawHeaders: readonly string[];
  readonly url?: string | undefined;
}

const NONE: CredentialReading = { kind: 'none' };
const MALFORMED: CredentialReading = { kind: 'malformed' };
const AMBIGUOUS: CredentialReading = { kind: 'ambiguous' };

/** Longer than any key or token that is meant to be sent with each request. */
const MAX_CREDENTIAL_LENGTH = 16_384;

/** RFC 9110 section 11.2 (token68), which is RFC 6750's b64token. */
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/;

/** What a browser, which cannot set headers on a WebSocket, offers as a subprotocol in front of the credential's own. */
export const WEBSOCKET_CREDENTIAL_PREFIX = 'bearer.';

/**
 * Reads the credential of a request: `Authorization: Bearer` (or `DPoP`) or `X-API-Key`.
 * @param handshake whether the request opens a WebSocket: a subprotocol `bearer.<credential>` counts as well then
 */
export function readCredential({ rawHeaders }: CredentialSource, handshake = false): CredentialReading {
  let authorization: string | undefined;
  let apiKey: string | undefined;
  let protocol: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 13 && name.toLowerCase() === 'authorization') {
      if (authorization !== undefined) return AMBIGUOUS;
      authorization = rawHeaders[index + 1]!;
    } else if (name.length === 9 && name.toLowerCase() === 'x-api-key') {
      if (apiKey !== undefined) return AMBIGUOUS;
      apiKey = rawHeaders[index + 1]!;
    } else if (handshake && name.length === 22 && name.toLowerCase() === 'sec-websocket-protocol') {
      const offered = credentialProtocols(rawHeaders[index + 1]!);
      if (offered.length > 1 || (offered.length === 1 && protocol !== undefined)) return AMBIGUOUS;
      protocol ??= offered[0];
    }
  }
  const given =
    Number(authorization !== undefined) + Number(apiKey !== undefined) + Number(protocol !== undefined);
  if (given > 1) return AMBIGUOUS;
  if (apiKey !== undefined) return checked('api-key', apiKey);
  if (protocol !== undefined) return checked('bearer', protocol);
  return authorization === undefined ? NONE : readAuthorization(authorization);
}

function readAuthorization(value: string): CredentialReading {
  const match = /^(bearer|dpop)(?:[ \t]+([^ \t].*)?)?$/i.exec(value);
  if (match === null) return NONE;
  return checked(match[1]!.toLowerCase() as 'bearer' | 'dpop', match[2] ?? '');
}

function checked(scheme: CredentialScheme, credential: string): CredentialReading {
  return credential.length <= MAX_CREDENTIAL_LENGTH && TOKEN68.test(credential)
    ? { kind: 'credential', scheme, credential }
    : MALFORMED;
}

function credentialProtocols(value: string): string[] {
  return value
    .split(',')
    .map(part => part.trim())
    .filter(part => part.startsWith(WEBSOCKET_CREDENTIAL_PREFIX))
    .map(part => part.slice(WEBSOCKET_CREDENTIAL_PREFIX.length));
}

/**
 * Whether the query of a target names one of the parameters, in any case and however it is encoded. URLs end up in logs, histories and
 * Referer headers (RFC 6750 section 5.3, RFC 9700 section 4.3.2).
 * @param names as `parameterName` writes them
 */
export function namesParameter(target: string, names: ReadonlySet<string>): boolean {
  const query = target.indexOf('?');
  if (query === -1 || names.size === 0) return false;
  const end = target.indexOf('#', query);
  for (const pair of target.slice(query + 1, end === -1 ? undefined : end).split(/[&;]/)) {
    const equals = pair.indexOf('=');
    const name = equals === -1 ? pair : pair.slice(0, equals);
    if (name !== '' && names.has(plainName(name))) return true;
  }
  return false;
}

/** A name as `namesParameter` compares it: in lower case, a character for each byte of UTF-8. */
export function parameterName(name: string): string {
  return Buffer.from(name.toLowerCase()).toString('latin1').toLowerCase();
}

/** `token[]` and `token[0]` are `token` to a query parser. */
function plainName(name: string): string {
  const text = /[%+]/.test(name) ? decodeName(name) : name;
  const bracket = text.indexOf('[');
  return (bracket > 0 ? text.slice(0, bracket) : text).trim().toLowerCase();
}

/** A character for each byte; what is no escape stays as it stands. By hand: a query may hold a thousand names, and each error of decodeURIComponent takes microseconds. */
function decodeName(name: string): string {
  let bytes = '';
  for (let index = 0; index < name.length; index++) {
    const unit = name.charCodeAt(index);
    const byte = unit === 0x25 ? hexDigit(name, index + 1) * 16 + hexDigit(name, index + 2) : NaN;
    if (Number.isNaN(byte)) bytes += unit === 0x2b ? ' ' : name[index]!;
    else {
      bytes += String.fromCharCode(byte);
      index += 2;
    }
  }
  return bytes;
}

function hexDigit(text: string, index: number): number {
  const unit = text.charCodeAt(index);
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const letter = unit | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : NaN;
}
