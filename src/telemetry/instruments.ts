/* The instruments. Names and units of `mcp.server.operation.duration` and of attributes follow the semantic conventions of OpenTelemetry
 * for MCP and for generative AI; those of limits are modelled on `aspnetcore.rate_limiting.*`. */
import type { Attributes, Meter } from '@opentelemetry/api';
import { safely } from './safely.js';

/** Of `mcp.server.operation.duration` (semantic conventions for MCP). */
const OPERATION_BUCKETS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
/** From what a decision in memory takes to the deadline of a store and beyond. */
const DECISION_BUCKETS = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
];
const SHARE_BUCKETS = [0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

export type Instruments = ReturnType<typeof createInstruments>;

export function createInstruments(meter: Meter) {
  const histogram = (name: string, unit: string, description: string, explicitBucketBoundaries: number[]) => {
    const instrument = meter.createHistogram(name, {
      unit,
      description,
      advice: { explicitBucketBoundaries },
    });
    return safely((value: number, attributes: Attributes) => instrument.record(value, attributes));
  };
  const requests = meter.createCounter('agent_security.requests', {
    unit: '{request}',
    description: 'Requests by the result of the decision about them.',
  });
  return {
    countRequest: safely((attributes: Attributes) => requests.add(1, attributes)),
    recordRemaining: histogram(
      'agent_security.limit.remaining',
      '1',
      'The share of a limit that a client has left after a decision.',
      SHARE_BUCKETS,
    ),
    recordDecision: histogram(
      'agent_security.decision.duration',
      's',
      'The time that the decision about a request takes, before routing and in the guards.',
      DECISION_BUCKETS,
    ),
    recordStoreCall: histogram(
      'agent_security.store.operation.duration',
      's',
      'The time until the shared store of limits answers.',
      DECISION_BUCKETS,
    ),
    circuit: meter.createObservableGauge('agent_security.store.circuit_open', {
      unit: '1',
      description: '1 while no request waits for the shared store of limits, since it keeps failing, else 0.',
    }),
    queued: meter.createObservableUpDownCounter('agent_security.audit.queue.length', {
      unit: '{record}',
      description: 'Audit records that wait for a sink.',
    }),
    dropped: meter.createObservableCounter('agent_security.audit.dropped', {
      unit: '{record}',
      description: 'Audit records of low impact that were dropped, since the queue of a sink was full.',
    }),
    recordOperation: histogram(
      'mcp.server.operation.duration',
      's',
      'MCP request or notification duration, from the time it was received until the result or ack is sent.',
      OPERATION_BUCKETS,
    ),
  };
}
