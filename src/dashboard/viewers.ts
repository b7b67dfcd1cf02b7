/* The open event streams. A viewer that reads too slowly misses events, and each event is whole, so that it misses nothing for long. */
import type { ServerResponse } from 'node:http';
import { whenResponseEnds } from '../common/response-end.js';
import { NO_STORE } from './dashboard-answers.js';

/** Each costs one write a second. */
const MAX_VIEWERS = 20;
/** Events that a viewer may miss in a row before its connection is closed. */
const MAX_MISSED = 30;

/** Whether the agent may still read the figures. */
export type MayStay = () => Promise<boolean>;

interface Viewer {
  readonly mayStay: MayStay;
  missed: number;
  /** Whether what was written waits for the client to read. A response of HTTP/2 has no `writableNeedDrain`. */
  isFull: boolean;
  isChecked: boolean;
}

export class Viewers {
  readonly #viewers = new Map<ServerResponse, Viewer>();

  get size(): number {
    return this.#viewers.size;
  }

  get isFull(): boolean {
    return this.#viewers.size >= MAX_VIEWERS;
  }

  /** @param text the first event */
  add(response: ServerResponse, mayStay: MayStay, text: string): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no', ...NO_STORE });
    const viewer: Viewer = { mayStay, missed: 0, isFull: false, isChecked: true };
    this.#viewers.set(response, viewer);
    whenResponseEnds(response, () => this.#viewers.delete(response));
    write(response, viewer, text);
  }

  /** @param text an event, or a comment that keeps proxies from closing an idle connection */
  send(text: string): void {
    for (const [response, viewer] of this.#viewers) {
      if (!viewer.isFull) write(response, viewer, text);
      else if (++viewer.missed > MAX_MISSED) response.destroy();
    }
  }

  /** Ends the streams of agents that may no longer read. At most one question of each viewer is open. */
  recheck(): void {
    for (const [response, viewer] of this.#viewers) if (viewer.isChecked) void check(response, viewer);
  }

  end(): void {
    for (const response of this.#viewers.keys()) response.end();
  }
}

function write(response: ServerResponse, viewer: Viewer, text: string): void {
  viewer.missed = 0;
  viewer.isFull = !response.write(text);
  if (viewer.isFull) response.once('drain', () => (viewer.isFull = false));
}

async function check(response: ServerResponse, viewer: Viewer): Promise<void> {
  viewer.isChecked = false;
  if (!(await viewer.mayStay())) response.end();
  viewer.isChecked = true;
}
