/* Reads the credential of a request. Ambiguous requests are rejected: Node silently keeps the first of two Authorization lines, and another
 * server on the way may keep the other. */
import type { IncomingMessage } from 'node:http';
import { requestPath } from '../common/http-request.js';
import type { RequestState } from '../common/request-state.js';
import type { CredentialRequest } from '../identity/credential.js';

export type CredentialScheme = 'api-key' | 'bearer' | 'dpop';

type CredentialReading =
  /** No credential, or an unsupported scheme such as Basic: RFC 6750 section 3.1 treats both as a lack of authentication information. */
  | { readonly kind: 'none' }
  | { readonly kind: 'credential'; readonly scheme: CredentialScheme; readonly credential: string }
  /** An empty or invalid value, which is rejected like an invalid credential. */
  | { readonly kind: 'malformed' }
  /** More than one credential. */
  | { readonly kind: 'ambiguous' };

const NONE: CredentialReading = { kind: 'none' };
const MALFORMED: CredentialReading = { kind: 'malformed' };
const AMBIGUOUS: CredentialReading = { kind: 'ambiguous' };

/** Longer than any key or token that is sent with each request. */
const MAX_CREDENTIAL_LENGTH = 16_384;

/** RFC 9110 section 11.2 (token68), which is RFC 6750's b64token. */
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/;

/** Browsers cannot set headers on a WebSocket: they send the credential as a subprotocol with this prefix. */
export const WEBSOCKET_CREDENTIAL_PREFIX = 'bearer.';

/**
 * Reads the credential of a request: `Authorization: Bearer` (or `DPoP`) or `X-API-Key`.
 * @param handshake whether the request opens a WebSocket, which may carry the subprotocol `bearer.<credential>`
 */
export function readCredential(
  { rawHeaders }: { readonly rawHeaders: readonly string[] },
  handshake = false,
): CredentialReading {
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
  if (apiKey !== undefined) return checkCredential('api-key', apiKey);
  if (protocol !== undefined) return checkCredential('bearer', protocol);
  return authorization === undefined ? NONE : readAuthorization(authorization);
}

function readAuthorization(value: string): CredentialReading {
  const match = /^(bearer|dpop)(?:[ \t]+([^ \t].*)?)?$/i.exec(value);
  if (match === null) return NONE;
  return checkCredential(match[1]!.toLowerCase() as 'bearer' | 'dpop', match[2] ?? '');
}

function checkCredential(scheme: CredentialScheme, credential: string): CredentialReading {
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
 * Whether the query of a target has one of the parameters, in any case and encoding. URLs appear in logs, histories and Referer headers
 * (RFC 6750 section 5.3, RFC 9700 section 4.3.2).
 * @param names names that were normalized by `parameterName`
 */
export function namesParameter(target: string, names: ReadonlySet<string>): boolean {
  const query = target.indexOf('?');
  if (query === -1 || names.size === 0) return false;
  const end = target.indexOf('#', query);
  for (const pair of target.slice(query + 1, end === -1 ? undefined : end).split(/[&;]/)) {
    const [name = ''] = pair.split('=', 1);
    if (name !== '' && names.has(plainName(name))) return true;
  }
  return false;
}

/** Normalizes a name for `namesParameter`: lower case, one character per UTF-8 byte. */
export function parameterName(name: string): string {
  return Buffer.from(name.toLowerCase()).toString('latin1').toLowerCase();
}

/** Query parsers read `token[]` and `token[0]` as `token`. */
function plainName(name: string): string {
  const text = /[%+]/.test(name) ? decodeName(name) : name;
  const bracket = text.indexOf('[');
  return (bracket > 0 ? text.slice(0, bracket) : text).trim().toLowerCase();
}

/**
 * Decodes to one character per byte; invalid escapes stay as they are. `decodeURIComponent` is not used: a query may hold a thousand names,
 * and each of its errors takes microseconds.
 */
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

/** The part of a request that verifiers may read, computed on access. */
export class RequestView implements CredentialRequest {
  constructor(
    private readonly raw: IncomingMessage,
    private readonly state: RequestState,
  ) {}

  get method(): string {
    return this.raw.method ?? '';
  }

  get url(): string {
    const { host, client } = this.state;
    const authority =
      host === undefined
        ? (this.raw.headers.host ?? '')
        : host.name + (host.port === undefined ? '' : `:${host.port}`);
    return `${client.secure ? 'https' : 'http'}://${authority}${requestPath(this.raw.url ?? '/')}`;
  }

  get headers(): CredentialRequest['headers'] {
    return this.raw.headers;
  }
}
