import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HandshakeAuthenticator } from '../auth/gateways.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import type { ResolvedErrors } from '../errors/errors.options.js';
import { TLS_PROBLEM, type ResolvedWebSockets } from '../websockets/websockets.feature.js';
import { answerProblem } from './answer.js';
import type { EdgeStage } from '../common/feature.js';
import { ORIGIN_PROBLEM } from '../cors/decide-cors.js';

/** Checks socket.io's HTTP polling like a WebSocket handshake. Its requests reach no guard. */
export class PollingStage implements EdgeStage {
  constructor(
    private readonly gateways: { isPolling(target: string): boolean },
    private readonly options: ResolvedWebSockets,
    private readonly handshakes: HandshakeAuthenticator | undefined,
    private readonly errors: ResolvedErrors | false,
  ) {}

  claims({ url = '' }: IncomingMessage): boolean {
    return this.gateways.isPolling(url);
  }

  async run(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<boolean> {
    // A preflight for another CORS middleware: it carries no credential and opens no session.
    if (raw.method === 'OPTIONS') return true;
    state.isLongPoll = true;
    const problem = this.#checkHead(state) ?? (await this.#checkCaller(raw, state));
    if (problem === undefined) return true;
    answerProblem(raw, response, problem, state.id, this.errors);
    return false;
  }

  #checkHead(state: RequestState): ProblemFields | undefined {
    // A GET opens a session, so an unlisted origin is rejected: CORS alone would only hide the response.
    if (state.cors.unreadable) return ORIGIN_PROBLEM;
    return this.options.requireTls && !state.client.secure ? TLS_PROBLEM : undefined;
  }

  async #checkCaller(raw: IncomingMessage, state: RequestState): Promise<ProblemFields | undefined> {
    const rejection = await this.handshakes?.authenticate(raw, state);
    if (rejection === undefined) return undefined;
    state.rejectionHeaders = rejection.headers;
    return rejection.problem;
  }
}
