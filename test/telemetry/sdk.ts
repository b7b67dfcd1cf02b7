/* The SDK of OpenTelemetry in memory, registered as an app registers it: before the app is created. */
import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  type DataPoint,
  type Histogram,
  MeterProvider,
  MetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

class MemoryReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** One series of a metric: the number of its values, or the sum of a counter and the value of a gauge. */
export interface Series {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: number;
}

export interface Metric {
  readonly unit: string;
  readonly series: readonly Series[];
  readonly boundaries: readonly number[] | undefined;
}

export class Sdk {
  readonly #reader = new MemoryReader();
  readonly #spans = new InMemorySpanExporter();
  readonly #metrics = new MeterProvider({ readers: [this.#reader] });
  readonly #traces = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#spans)] });

  constructor() {
    unregister();
    metrics.setGlobalMeterProvider(this.#metrics);
    trace.setGlobalTracerProvider(this.#traces);
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  }

  async resourceMetrics(): Promise<ResourceMetrics> {
    return (await this.#reader.collect()).resourceMetrics;
  }

  /** Every metric so far, by its name. */
  async collect(): Promise<ReadonlyMap<string, Metric>> {
    const { scopeMetrics } = await this.resourceMetrics();
    return new Map(
      scopeMetrics.flatMap(({ metrics: all }) =>
        all.map(({ descriptor, dataPoints }) => [
          descriptor.name,
          {
            unit: descriptor.unit,
            boundaries: (dataPoints[0] as DataPoint<Histogram> | undefined)?.value.buckets?.boundaries,
            series: dataPoints.map(({ attributes, value }) => ({
              attributes,
              value: typeof value === 'number' ? value : value.count,
            })),
          },
        ]),
      ),
    );
  }

  /** The series of one metric. */
  async seriesOf(name: string): Promise<readonly Series[]> {
    return (await this.collect()).get(name)?.series ?? [];
  }

  /** Forgets the spans so far. */
  reset(): void {
    this.#spans.reset();
  }

  get spans(): readonly ReadableSpan[] {
    return this.#spans.getFinishedSpans();
  }

  async close(): Promise<void> {
    unregister();
    await this.#metrics.shutdown();
    await this.#traces.shutdown();
  }
}

/** The API keeps the first of each that is registered. */
function unregister(): void {
  for (const api of [metrics, trace, context, propagation]) api.disable();
}

const open: Sdk[] = [];
afterEach(async () => {
  for (const sdk of open.splice(0)) await sdk.close();
});

/** Until the end of the test. */
export function startSdk(): Sdk {
  const sdk = new Sdk();
  open.push(sdk);
  return sdk;
}

/** Series as text, for comparison: `{"result":"ok"} 3`. */
export const asText = (series: readonly Series[]): readonly string[] =>
  series.map(({ attributes, value }) => `${JSON.stringify(attributes)} ${value}`).toSorted();
