import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HandshakeAuthenticator } from '../auth/handshake-authenticator.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import type { ResolvedErrors } from '../errors/errors.options.js';
import { TLS_PROBLEM } from '../websockets/tls.problem.js';
import type { ResolvedWebSockets } from '../websockets/websockets.options.js';
import { answerProblem } from './answer.js';
import type { EdgeStage } from '../common/edge-stage.js';
import { ORIGIN_PROBLEM } from '../cors/origin.problem.js';

/** socket.io's polling, which is a WebSocket over plain requests: it passes no guard, and is judged as a handshake is. */
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
    // A preflight that another CORS middleware answers: it carries no credential, and opens nothing.
    if (raw.method === 'OPTIONS') return true;
    state.isLongPoll = true;
    const problem = this.#checkHead(state) ?? (await this.#checkCaller(raw, state));
    if (problem === undefined) return true;
    answerProblem(raw, response, problem, state.id, this.errors);
    return false;
  }

  #checkHead(state: RequestState): ProblemFields | undefined {
    // To open a connection changes state, though it is a GET: CORS alone would only keep the answer from the page.
    if (state.cors.unreadable) return ORIGIN_PROBLEM;
    return this.options.requireTls && !state.client.secure ? TLS_PROBLEM : undefined;
  }

  async #checkCaller(raw: IncomingMessage, state: RequestState): Promise<ProblemFields | undefined> {
    const rejection = await this.handshakes?.authenticate(raw, state);
    if (rejection === undefined) return undefined;
    state.challenge = rejection.headers;
    return rejection.problem;
  }
}
