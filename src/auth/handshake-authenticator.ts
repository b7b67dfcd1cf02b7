/* Authenticates WebSocket handshakes and socket.io's polling requests. They carry the same credentials as other requests; browsers, which
 * cannot set headers on a WebSocket, send the subprotocol `bearer.<credential>`. */
import type { IncomingMessage } from 'node:http';
import { requestPath } from '../common/http-request.js';
import type { RequestState } from '../common/request-state.js';
import type { Authenticator } from './authenticator.js';
import { namesParameter, WEBSOCKET_CREDENTIAL_PREFIX } from './read-credential.js';
import type { Rejection } from '../common/problem.js';
import { SESSION_UNKNOWN, CREDENTIAL_IN_URL_PROBLEM } from './auth-rejections.js';

export class HandshakeAuthenticator {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly urlParameters: ReadonlySet<string>,
    private readonly gateways: {
      isPublic(path: string): boolean;
      isForeignSession(target: string, state: RequestState): boolean;
    },
  ) {}

  /** @returns the rejection, if the connection must not be opened */
  async authenticate(raw: IncomingMessage, state: RequestState): Promise<Rejection | undefined> {
    const url = raw.url ?? '';
    if (namesParameter(url, this.urlParameters)) return { problem: CREDENTIAL_IN_URL_PROBLEM, headers: [] };
    const found = await this.authenticator.authenticate(raw, state, { handshake: true });
    hideCredential(raw);
    const isAccepted =
      found.kind === 'agent' || (found.kind === 'anonymous' && this.gateways.isPublic(requestPath(url)));
    if (!isAccepted) return found.rejection;
    return this.gateways.isForeignSession(url, state) ? SESSION_UNKNOWN : undefined;
  }
}

/** Removes the credential's subprotocol: a server that accepts the first one offered would send the credential back. */
function hideCredential({ headers }: IncomingMessage): void {
  const offered = headers['sec-websocket-protocol'];
  if (offered === undefined) return;
  const others = offered
    .split(',')
    .map(part => part.trim())
    .filter(part => !part.startsWith(WEBSOCKET_CREDENTIAL_PREFIX));
  if (others.length > 0) headers['sec-websocket-protocol'] = others.join(', ');
  else delete headers['sec-websocket-protocol'];
}
