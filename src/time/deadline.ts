/* The time limits of one request: until its response begins, then between two writes. */
import type { ServerResponse } from 'node:http';
import { hasResponseEnded, whenResponseEnds } from '../common/response-end.js';
import type { Timers } from '../common/clock.js';

export interface DeadlineLimits {
  readonly handlerMs: number | false;
  readonly idleMs: number | false;
}

export class Deadline {
  #timer: unknown;
  #sent = -1;

  /** @param expire called when the response has not begun in time */
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
    if (ms !== false) this.#timer = this.timers.start(ms, () => this.#check());
  }

  #check(): void {
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

/** An error named like that of `AbortSignal.timeout()`, to distinguish it from a client that has disconnected. */
function timeoutError(message: string): Error {
  return new DOMException(message, 'TimeoutError') as unknown as Error;
}

/* The AbortSignal of a request: created on demand, aborted when the client disconnects or the time limit is exceeded. */

const CONTROLLER = Symbol('agent-security:abort-controller');
type AbortableResponse = ServerResponse & { [CONTROLLER]?: AbortController };

export function signalOf(response: ServerResponse): AbortSignal {
  return controllerOf(response).signal;
}

/** Aborts the request's signal. */
export function abortRequest(response: ServerResponse, reason: Error): void {
  controllerOf(response).abort(reason);
}

function controllerOf(response: AbortableResponse): AbortController {
  const known = response[CONTROLLER];
  if (known !== undefined) return known;
  const controller = new AbortController();
  response[CONTROLLER] = controller;
  whenResponseEnds(response, isWhole => {
    if (!isWhole)
      controller.abort(new DOMException('The client has disconnected.', 'AbortError') as unknown as Error);
  });
  return controller;
}
