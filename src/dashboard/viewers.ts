/* The open event streams. A viewer that reads too slowly misses events, and each event is whole, so that it misses nothing for long. */
import type { ServerResponse } from 'node:http';
import { whenResponseEnds } from '../common/response-end.js';

/** Each costs one write a second. */
const MAX_VIEWERS = 20;
/** Events that a viewer may miss in a row before its connection is closed. */
const MAX_MISSED = 30;

export class Viewers {
  /** With the number of events that each has missed. */
  readonly #missed = new Map<ServerResponse, number>();

  get size(): number {
    return this.#missed.size;
  }

  get isFull(): boolean {
    return this.#missed.size >= MAX_VIEWERS;
  }

  add(response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
    this.#missed.set(response, 0);
    whenResponseEnds(response, () => this.#missed.delete(response));
  }

  /** @param text an event, or a comment that keeps proxies from closing an idle connection */
  send(text: string): void {
    for (const [response, missed] of this.#missed) {
      if (!response.writableNeedDrain) {
        this.#missed.set(response, 0);
        response.write(text);
      } else if (missed < MAX_MISSED) this.#missed.set(response, missed + 1);
      else response.destroy();
    }
  }

  end(): void {
    for (const response of this.#missed.keys()) response.end();
  }
}
