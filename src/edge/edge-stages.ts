/* Stages of requests that reach no guard: socket.io's HTTP polling, and requests with a credential in the URL. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Gateways, HandshakeAuthenticator } from '../auth/gateways.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import type { ResolvedErrors } from '../errors/errors.options.js';
import { TLS_PROBLEM } from '../websockets/websockets.feature.js';
import { answerProblem } from './answer.js';
import { RESOLVED_OPTIONS } from '../common/feature.js';
import { Inject, Injectable } from '@nestjs/common';
import { CREDENTIAL_IN_URL_PROBLEM } from '../auth/credential-rejections.js';
import { namesParameter } from '../auth/read-credential.js';
import { originProblem } from '../cors/decide-cors.js';
import type { EdgeOptions } from './edge.feature.js';
import type { EdgeStage } from '../common/edge-stage.js';

/** Rejects credentials in query parameters, on every path: URLs end up in access logs. */
export class UrlCredentialStage implements EdgeStage {
  constructor(
    private readonly names: ReadonlySet<string>,
    private readonly errors: ResolvedErrors | false,
  ) {}

  claims({ url = '' }: IncomingMessage): boolean {
    return namesParameter(url, this.names);
  }

  run(raw: IncomingMessage, response: ServerResponse, state: RequestState): boolean {
    answerProblem(raw, response, CREDENTIAL_IN_URL_PROBLEM, state.id, this.errors);
    return false;
  }
}

/** Checks socket.io's HTTP polling like a WebSocket handshake. Its requests reach no guard. */
@Injectable()
export class PollingStage implements EdgeStage {
  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: EdgeOptions,
    @Inject(Gateways) private readonly gateways: Gateways,
    @Inject(HandshakeAuthenticator) private readonly handshakes: HandshakeAuthenticator | undefined,
  ) {}

  claims({ url = '' }: IncomingMessage): boolean {
    return this.gateways.isPolling(url);
  }

  async run(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<boolean> {
    // A preflight for another CORS middleware: it carries no credential and opens no session.
    if (raw.method === 'OPTIONS') return true;
    state.isLongPoll = true;
    const problem = this.#checkHead(raw, state) ?? (await this.#checkCaller(raw, state));
    if (problem === undefined) return true;
    answerProblem(raw, response, problem, state.id, this.options.errors);
    return false;
  }

  #checkHead(raw: IncomingMessage, state: RequestState): ProblemFields | undefined {
    // A GET opens a session, so an unlisted origin is rejected: CORS alone would only hide the response.
    if (state.cors.unreadable) return originProblem(raw.headers);
    return this.options.webSockets.requireTls && !state.client.secure ? TLS_PROBLEM : undefined;
  }

  async #checkCaller(raw: IncomingMessage, state: RequestState): Promise<ProblemFields | undefined> {
    const rejection = await this.handshakes?.authenticate(raw, state);
    if (rejection === undefined) return undefined;
    state.rejectionHeaders = rejection.headers;
    return rejection.problem;
  }
}
