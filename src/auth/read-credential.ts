/* Reads the credential of a request. Ambiguous requests are rejected: Node silently keeps the first of two Authorization lines, and another
 * server on the way may keep the other. */
import type { IncomingMessage } from 'node:http';
import { requestPath } from '../common/http-request.js';
import type { RequestState } from '../common/request-state.js';
import type { CredentialRequest } from '../identity/credential.js';

export type CredentialScheme = 'api-key' | 'bearer' | 'dpop';

/** A credential that a request offers: the text behind a scheme of this module, which may be invalid. */
export interface OfferedCredential {
  readonly scheme: CredentialScheme;
  readonly credential: string;
}

/**
 * What a request offers. Unsupported schemes such as Basic are left out: RFC 6750 section 3.1 treats them as a lack of authentication
 * information, and they may be meant for a proxy or for another layer of the app.
 */
type CredentialReading = readonly OfferedCredential[] | 'ambiguous';

const NONE: readonly OfferedCredential[] = [];

/** Browsers cannot set headers on a WebSocket: they send the credential as a subprotocol with this prefix. */
export const WEBSOCKET_CREDENTIAL_PREFIX = 'bearer.';

/**
 * Reads the credentials of a request: `Authorization: Bearer` (or `DPoP`) and `X-API-Key`.
 * @param handshake whether the request opens a WebSocket, which may carry the subprotocol `bearer.<credential>`
 * @returns `ambiguous` for two of one kind
 */
export function readCredentials(
  { rawHeaders }: { readonly rawHeaders: readonly string[] },
  handshake = false,
): CredentialReading {
  let authorization: string | undefined;
  let apiKey: string | undefined;
  let protocol: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 13 && name.toLowerCase() === 'authorization') {
      if (authorization !== undefined) return 'ambiguous';
      authorization = rawHeaders[index + 1]!;
    } else if (name.length === 9 && name.toLowerCase() === 'x-api-key') {
      if (apiKey !== undefined) return 'ambiguous';
      apiKey = rawHeaders[index + 1]!;
    } else if (handshake && name.length === 22 && name.toLowerCase() === 'sec-websocket-protocol') {
      const offered = credentialProtocols(rawHeaders[index + 1]!);
      if (offered.length > 1 || (offered.length === 1 && protocol !== undefined)) return 'ambiguous';
      protocol ??= offered[0];
    }
  }
  const offers: OfferedCredential[] = [];
  if (apiKey !== undefined) offers.push({ scheme: 'api-key', credential: apiKey });
  if (protocol !== undefined) offers.push({ scheme: 'bearer', credential: protocol });
  const authorized = authorization === undefined ? undefined : readAuthorization(authorization);
  if (authorized !== undefined) offers.push(authorized);
  return offers.length === 0 ? NONE : offers;
}

function readAuthorization(value: string): OfferedCredential | undefined {
  const match = /^(bearer|dpop)(?:[ \t]+([^ \t].*)?)?$/i.exec(value);
  return match === null
    ? undefined
    : { scheme: match[1]!.toLowerCase() as 'bearer' | 'dpop', credential: match[2] ?? '' };
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
