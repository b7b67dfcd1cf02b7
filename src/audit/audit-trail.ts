/* Turns calls of tools, of handlers and over MCP, into audit records and hands them to every sink. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../common/clock.js';
import { type Log, logLine, logText } from '../common/log-text.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { ResolvedAudit } from './audit.options.js';
import {
  type AuditedCall,
  type AuditEnd,
  type AuditEntry,
  type AuditLine,
  type AuditRecord,
  type AuditStart,
  createLine,
  readTraceId,
} from './audit-record.js';
import type { AuditSink } from './audit-sink.js';
import { redactParams } from './redact.js';
import { type SinkHealth, type SinkStatus, SinkWriter } from './sink-writer.js';

const UNAVAILABLE: AuditStart = {
  recorded: false,
  problem: {
    status: 503,
    code: 'audit_unavailable',
    detail: 'The audit record of the call cannot be written at the moment, so the call was not made.',
    members: { retryable: true, retry_after_seconds: 1 },
  },
  headers: ['Retry-After', '1'],
};

const NOT_AUDITED: AuditStart = {
  recorded: true,
  call: { finish: () => undefined, cancel: () => undefined },
};

/** Called with each record, before a sink has it. */
export type ObserveAudit = (record: AuditRecord) => void;

/** The observer of audit records; `undefined` for none. */
export const OBSERVE_AUDIT = Symbol('agent-security:observe-audit');

/**
 * Writes audit records. Inject it to record calls that are not HTTP requests, such as jobs of a queue.
 * @example
 * const start = await audit.begin({ tool: 'import_users', impact: 'high', params: { file } });
 * if (!start.recorded) return start.problem;
 * await importUsers(file);
 * start.call.finish({ outcome: 'ok' });
 */
export class AuditTrail {
  readonly #writers: readonly SinkWriter[] = [];
  readonly #process = randomUUID();
  #calls = 0;

  constructor(
    private readonly options: ResolvedAudit | false,
    sinks: readonly AuditSink[],
    private readonly events: SecurityEvents,
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'log' | 'error'>,
    private readonly observe?: ObserveAudit,
  ) {
    if (options === false) return;
    const { maxQueued } = options;
    const nowMs = (): number => clock.epochMs();
    const onHealth = (health: SinkHealth): void => this.#reportHealth(health);
    this.#writers = sinks.map(sink => new SinkWriter({ sink, maxQueued, nowMs, onHealth }));
  }

  /** How each sink is at the moment. @internal */
  get sinkStatuses(): readonly SinkStatus[] {
    return this.#writers.map(({ status }) => status);
  }

  /** Opens the sinks. A sink that cannot be opened stops the start-up. */
  async onModuleInit(): Promise<void> {
    for (const writer of this.#writers) await writer.open();
  }

  /** Writes what is queued and closes the sinks, all at the same time and within 15 seconds. Call it after the last request. */
  async close(): Promise<void> {
    const problems = await Promise.all(this.#writers.map(writer => writer.close()));
    for (const problem of problems.flat()) this.log.error(logText(problem));
  }

  /** Settles when every record so far was written, or its sink has failed. */
  async flush(): Promise<void> {
    await Promise.all(this.#writers.map(writer => writer.flush()));
  }

  /**
   * Records a call before it runs. When this settles, the record of a call of impact `high` is written by every sink; that of a call of
   * impact `medium` has its room in the queue; that of a call of impact `low` may be dropped when the queue is full, and is then counted.
   */
  async begin(entry: AuditEntry): Promise<AuditStart> {
    if (this.#writers.length === 0) return NOT_AUDITED;
    const { impact } = entry;
    const facts = this.#factsOf(entry);
    if (impact === 'low') return { recorded: true, call: this.#openCall(facts, 'offer') };
    const isHigh = impact === 'high';
    // A call of impact high has two records: of its start and of its end.
    if (!this.#reserve(isHigh ? 2 : 1, isHigh)) return UNAVAILABLE;
    if (!isHigh) return { recorded: true, call: this.#openCall(facts, 'push') };
    const line = this.#createLine({ event: 'started', ...facts });
    const written = await Promise.all(
      this.#writers.map(writer => new Promise<boolean>(resolve => writer.push(line, resolve))),
    );
    if (!written.every(Boolean)) {
      for (const writer of this.#writers) writer.release(1);
      return UNAVAILABLE;
    }
    return { recorded: true, call: this.#openCall({ ...facts, params: undefined }, 'push') };
  }

  /**
   * Records a call that was not made, or (`outcome: 'ok'`) one that was answered without its handler, such as from a cache. A rejection
   * without an agent, and one that finds no room in the queue, is counted instead: one record a minute holds the count of its code.
   */
  reject(entry: AuditEntry, end: Partial<AuditEnd> & { readonly durationMs?: number }): void {
    const { outcome = 'rejected', status, code, durationMs } = end;
    const isServed = outcome === 'ok';
    let line: AuditLine | undefined;
    // Only where it finds room: redaction is work that a client can cause.
    const createRecord = (): AuditLine =>
      (line ??= this.#createLine({
        event: isServed ? 'finished' : 'rejected',
        ...this.#factsOf(entry),
        outcome,
        status,
        code,
        durationMs: durationMs === undefined ? undefined : roundMs(durationMs),
      }));
    for (const writer of this.#writers) {
      if (isServed) writer.offer(createRecord());
      else writer.reject({ outcome, status, code }, entry.agent === undefined ? undefined : createRecord);
    }
  }

  #reserve(count: number, isAwaited: boolean): boolean {
    const full = this.#writers.findIndex(writer => !writer.reserve(count, isAwaited));
    if (full === -1) return true;
    for (const writer of this.#writers.slice(0, full)) writer.release(count);
    return false;
  }

  #openCall(facts: Facts, method: 'push' | 'offer'): AuditedCall {
    const startedMs = this.clock.monotonicMs();
    let ended = false;
    const end = (event: 'finished' | 'rejected', { outcome, status, code }: AuditEnd): void => {
      if (ended) return;
      ended = true;
      const durationMs = roundMs(this.clock.monotonicMs() - startedMs);
      const line = this.#createLine({ event, ...facts, outcome, status, code, durationMs });
      for (const writer of this.#writers) writer[method](line);
    };
    return { finish: parts => end('finished', parts), cancel: parts => end('rejected', parts) };
  }

  #factsOf(entry: AuditEntry): Facts {
    const { params, redact = [] } = entry;
    return {
      call: `${this.#process}/${++this.#calls}`,
      tool: entry.tool.slice(0, 256),
      impact: entry.impact,
      agent: entry.agent,
      address: entry.address,
      requestId: entry.requestId || undefined,
      traceId: readTraceId(entry.traceparent),
      verb: entry.verb,
      params: params === undefined ? undefined : redactParams(params, redact, this.options as ResolvedAudit),
    };
  }

  #createLine(parts: Omit<AuditRecord, 'time'>): AuditLine {
    const line = createLine(parts, this.clock.epochMs());
    this.observe?.(line.record);
    return line;
  }

  #reportHealth(health: SinkHealth): void {
    const { sink, state, reason, dropped } = health;
    if (state === 'failing')
      this.log.error(
        logLine`The audit sink "${sink}" fails (${reason}); calls of impact "high" are rejected until it writes records again.`,
      );
    else
      this.log.log(
        logLine`The audit sink "${sink}" writes records again; ${dropped} of low impact were dropped.`,
      );
    this.events.emit({ type: 'audit.failing', timeMs: this.clock.epochMs(), ...health });
  }
}

type Facts = Omit<AuditRecord, 'time' | 'event'>;

function roundMs(durationMs: number): number {
  return Math.round(durationMs * 1_000) / 1_000;
}
