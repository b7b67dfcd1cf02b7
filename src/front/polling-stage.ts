import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HandshakeJudge } from '../auth/handshake.js';
import type { RequestState } from '../common/request-state.js';
import type { ResolvedErrors } from '../errors/errors.options.js';
import { answerProblem } from './answer.js';
import type { FrontStage } from './front-stage.js';

/** socket.io's polling, which is a WebSocket over plain requests: it passes no guard, and needs an agent as a handshake does. */
export class PollingStage implements FrontStage {
  constructor(
    private readonly gateways: { isPolling(target: string): boolean },
    private readonly handshakes: HandshakeJudge,
    private readonly errors: ResolvedErrors | false,
  ) {}

  claims({ url = '' }: IncomingMessage): boolean {
    return this.gateways.isPolling(url);
  }

  async run(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<boolean> {
    const refusal = await this.handshakes.judge(raw, state);
    if (refusal === undefined) return true;
    state.challenge = refusal.headers;
    answerProblem(raw, response, refusal.problem, state.id, this.errors);
    return false;
  }
}
