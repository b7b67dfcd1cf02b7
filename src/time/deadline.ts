/* How long one request may take: until its answer begins, then from one piece of it to the next. */
import type { ServerResponse } from 'node:http';
import { hasResponseEnded, whenResponseEnds } from '../common/response-end.js';
import type { Timers } from '../common/timers.js';

export interface DeadlineLimits {
  readonly handlerMs: number | false;
  readonly idleMs: number | false;
}

export class Deadline {
  #timer: unknown;
  #sent = -1;

  /** @param expire called when the answer has not begun in time */
  constructor(
    private readonly response: ServerResponse,
    private readonly limits: DeadlineLimits,
    private readonly timers: Timers,
    private readonly expire: () => void,
    private readonly abort: (reason: Error) => void,
  ) {}

  start(): void {
    const { response, limits, timers } = this;
    this.#wait(limits.handlerMs === false ? limits.idleMs : limits.handlerMs);
    whenResponseEnds(response, () => timers.stop(this.#timer));
  }

  #wait(ms: number | false): void {
    if (ms !== false) this.#timer = this.timers.start(ms, () => this.#peek());
  }

  #peek(): void {
    const { response, limits } = this;
    if (response.writableEnded || hasResponseEnded(response)) return;
    if (!response.headersSent) {
      if (limits.handlerMs === false) {
        this.#wait(limits.idleMs);
        return;
      }
      this.abort(timeoutError('The handler took too long.'));
      this.expire();
      return;
    }
    const sent = response.socket?.bytesWritten ?? 0;
    if (sent === this.#sent) {
      this.abort(timeoutError('The stream sent nothing for too long.'));
      response.destroy();
      return;
    }
    this.#sent = sent;
    this.#wait(limits.idleMs);
  }
}

/** As `AbortSignal.timeout()` names it, so that whoever catches it knows it from a client that has gone. */
export function timeoutError(message: string): Error {
  return new DOMException(message, 'TimeoutError') as unknown as Error;
}
