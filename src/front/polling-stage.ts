import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HandshakeJudge } from '../auth/handshake.js';
import type { RequestState } from '../common/request-state.js';
import type { ResolvedErrors } from '../errors/errors.options.js';
import { readPolling, TLS_PROBLEM } from '../websockets/polling.js';
import type { ResolvedWebSockets } from '../websockets/websockets.options.js';
import { answerProblem } from './answer.js';
import type { FrontStage } from './front-stage.js';
import { ORIGIN_PROBLEM } from './request-head.js';

/** Judges what opens a connection by HTTP polling as an upgrade is judged: by its origin, its transport and its credential. */
export class PollingStage implements FrontStage {
  constructor(
    private readonly options: ResolvedWebSockets,
    private readonly handshakes: HandshakeJudge | undefined,
    private readonly errors: ResolvedErrors | false,
  ) {}

  claims({ url = '' }: IncomingMessage): boolean {
    return readPolling(url) !== undefined;
  }

  async run(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<boolean> {
    // A page's preflight carries no credential, and opens nothing.
    if (raw.method === 'OPTIONS') return true;
    // To open a connection changes state, though it is a GET: CORS alone would only keep the answer from the page.
    const unfit = state.unreadable
      ? ORIGIN_PROBLEM
      : this.options.requireTls && !state.client.secure
        ? TLS_PROBLEM
        : undefined;
    if (unfit !== undefined) {
      answerProblem(raw, response, unfit, state.id, this.errors);
      return false;
    }
    // The ID of an open connection is a secret of its own, which the opening request was given.
    if (this.handshakes === undefined || readPolling(raw.url ?? '') === 'polling') return true;
    const refusal = await this.handshakes.judge(raw, state);
    if (refusal === undefined) return true;
    const { problem, headers } = refusal;
    for (let index = 0; index < headers.length; index += 2)
      response.setHeader(headers[index]!, headers[index + 1]!);
    answerProblem(raw, response, problem, state.id, this.errors);
    return false;
  }
}
