/* The AbortSignal of a request: created on demand, aborted when the client disconnects or the time limit is exceeded. */
import type { ServerResponse } from 'node:http';
import { whenResponseEnds } from '../common/response-end.js';

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
