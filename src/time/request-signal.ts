/* The AbortSignal of a request: made when somebody asks for it, aborted when nobody waits for the answer any more. */
import type { ServerResponse } from 'node:http';
import { whenResponseEnds } from '../common/response-end.js';

const CONTROLLER = Symbol('agent-security:abort-controller');
type AbortableResponse = ServerResponse & { [CONTROLLER]?: AbortController };

export function signalOf(response: ServerResponse): AbortSignal {
  return controllerOf(response).signal;
}

/** Aborts the signal, if somebody has asked for it; whoever asks later gets an aborted one. */
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
      controller.abort(new DOMException('The client has gone.', 'AbortError') as unknown as Error);
  });
  return controller;
}
