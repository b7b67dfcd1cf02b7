import type { IncomingMessage } from 'node:http';
import { requestPath } from '../common/http-request.js';
import type { RequestState } from '../common/request-state.js';
import type { CredentialRequest } from '../identity/credential.js';

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
