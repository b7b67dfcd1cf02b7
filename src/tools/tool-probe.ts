import type { Observable } from 'rxjs';
import type { IncomingHttpHeaders } from 'node:http';
import type { Tool } from './tool.js';

/** A call whose handler is about to run. */
export interface ObservedCall {
  readonly tool: Tool;
  readonly headers: IncomingHttpHeaders | undefined;
  readParams(): unknown;
}

/** What handlers that are tools report to the telemetry. */
export interface ToolProbe {
  /** Runs the handler, and what it waits for, within a span. */
  runTool<T>(call: ObservedCall, handle: () => Observable<T>): Observable<T>;
}
