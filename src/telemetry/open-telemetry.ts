/* Metrics and traces through the API of OpenTelemetry. Loaded where the option `telemetry` is on. */
import { createNoopMeter, metrics, type ObservableResult, trace } from '@opentelemetry/api';
import { defer, type Observable, tap } from 'rxjs';
import type { SinkStatus } from '../audit/sink-writer.js';
import type { Clock } from '../common/clock.js';
import type { Log } from '../common/log-text.js';
import type { RequestState } from '../common/request-state.js';
import type { QuotaDecision } from '../limiter/consume.js';
import type { LimitProbe } from '../limiter/limit-probe.js';
import type { Policy } from '../limiter/policy.js';
import type { McpProbe } from '../mcp/mcp-probe.js';
import type { Tool } from '../tools/tool.js';
import type { ObservedCall, ToolProbe } from '../tools/tool-probe.js';
import { createInstruments } from './instruments.js';
import { KnownNames, OTHER } from './known-names.js';
import { McpTelemetry } from './mcp-telemetry.js';
import { RequestProbe } from './request-probe.js';
import { safely } from './safely.js';
import { ToolSpans } from './tool-spans.js';

const SCOPE = 'nestjs-agent-security';
/** More than an app declares. Each name is a time series. */
const MAX_POLICIES = 200;
const MAX_LISTED_TOOLS = 500;

/** What the app has, once it is constructed. */
export interface ObservedApp {
  /** Whether an option or a decorator names the tool. */
  isTool(name: string): boolean;
  toolOf(name: string): Tool;
  /** `undefined` without a shared store. */
  readonly isCircuitOpen: (() => boolean) | undefined;
  readonly sinks: () => readonly SinkStatus[];
}

interface TelemetryParts {
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  readonly showParams: ((params: unknown, tool: Tool) => unknown) | undefined;
}

export class Telemetry implements LimitProbe, McpProbe, ToolProbe {
  readonly requests: RequestProbe;
  readonly #instruments;
  readonly #policies = new KnownNames(MAX_POLICIES);
  /** Of lists that servers answer with. */
  readonly #listed = new KnownNames(MAX_LISTED_TOOLS);
  readonly #spans: ToolSpans;
  readonly #mcp: McpTelemetry;
  #app: ObservedApp | undefined;
  #stop = (): void => undefined;

  constructor({ clock, log, showParams }: TelemetryParts) {
    const meter = metrics.getMeter(SCOPE);
    if (meter === createNoopMeter())
      log.warn(
        'telemetry is on, and no MeterProvider of OpenTelemetry is registered, so that metrics are lost. Start the SDK before the app is created.',
      );
    this.#instruments = createInstruments(meter);
    this.#spans = new ToolSpans(trace.getTracer(SCOPE), showParams);
    this.requests = new RequestProbe(this.#instruments, clock, this.#policies);
    const tools = {
      nameOf: (tool: string) => this.#nameOf(tool),
      toolOf: (name: string) => this.#app!.toolOf(name),
    };
    this.#mcp = new McpTelemetry(this.#instruments, this.requests, this.#spans, tools, clock);
  }

  /** Begins to observe what is read from time to time. */
  observe(app: ObservedApp): void {
    this.#app = app;
    const { circuit, queued, dropped } = this.#instruments;
    const { isCircuitOpen, sinks } = app;
    const observeCircuit = (result: ObservableResult): void =>
      result.observe(isCircuitOpen?.() === true ? 1 : 0);
    const observeSinks =
      (key: 'queued' | 'dropped') =>
      (result: ObservableResult): void => {
        for (const { name: sink, [key]: count } of sinks()) result.observe(count, { sink });
      };
    const [observeQueued, observeDropped] = [observeSinks('queued'), observeSinks('dropped')];
    if (isCircuitOpen !== undefined) circuit.addCallback(observeCircuit);
    queued.addCallback(observeQueued);
    dropped.addCallback(observeDropped);
    this.#stop = () => {
      circuit.removeCallback(observeCircuit);
      queued.removeCallback(observeQueued);
      dropped.removeCallback(observeDropped);
    };
  }

  close(): void {
    this.#stop();
  }

  declarePolicies(policies: readonly Policy[]): void {
    for (const { name } of policies) this.#policies.add(name);
  }

  recordDecision({ policyStates }: QuotaDecision): void {
    for (const { policy, remaining } of policyStates)
      this.#instruments.recordRemaining(remaining / policy.burst, {
        policy: this.#policies.has(policy.name) ? policy.name : OTHER,
      });
  }

  recordStoreCall(durationMs: number, error?: string): void {
    this.#instruments.recordStoreCall(durationMs / 1_000, error === undefined ? {} : { 'error.type': error });
  }

  measure<T>(state: RequestState, decide: () => Promise<T>): Promise<T> {
    return this.requests.measure(state, decide);
  }

  passMessages(...args: Parameters<McpProbe['passMessages']>): void {
    this.#mcp.pass(...args);
  }

  rejectMessages(...args: Parameters<McpProbe['rejectMessages']>): void {
    this.#mcp.reject(...args);
  }

  listTool(name: string): void {
    this.#listed.add(name);
  }

  runTool<T>({ tool, headers, readParams }: ObservedCall, handle: () => Observable<T>): Observable<T> {
    return defer(() => {
      const span = this.#startHandler(tool, headers, readParams);
      if (span === undefined) return handle();
      let error: string | undefined;
      return span.run(handle).pipe(
        tap({
          error: (thrown: unknown) => (error = errorType(thrown)),
          unsubscribe: () => (error = 'aborted'),
          finalize: () => span.end(error),
        }),
      );
    });
  }

  readonly #startHandler = safely(
    (tool: Tool, headers: ObservedCall['headers'], readParams: ObservedCall['readParams']) =>
      this.#spans.startHandler(this.#nameOf(tool.name), tool, headers, readParams),
  );

  #nameOf(tool: string): string {
    return this.#app?.isTool(tool) === true || this.#listed.has(tool) ? tool : OTHER;
  }
}

/** The status of an exception of Nest. */
function errorType(thrown: unknown): string {
  const { getStatus } = (thrown ?? {}) as { getStatus?: () => unknown };
  const status = typeof getStatus === 'function' ? getStatus.call(thrown) : undefined;
  return Number.isInteger(status) && Number(status) >= 100 && Number(status) < 600 ? String(status) : OTHER;
}
