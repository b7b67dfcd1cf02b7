/* What one process has seen in the last hour, in bounded memory: fed by security events, limit decisions and audit records. */
import type { AuditRecord } from '../audit/audit-record.js';
import type { Clock } from '../common/clock.js';
import type { EdgeCheck } from '../common/edge-stage.js';
import type { ObserveQuota } from '../common/quota-observer.js';
import type { SecurityEvent, SecurityEvents } from '../events/security-events.js';
import { type AuditRow, AuditTail } from './audit-tail.js';
import { LimitUsage, type UsageRow } from './limit-usage.js';
import { MinuteCounts, type MinuteFigures } from './minute-counts.js';
import { newest, RecentRejections, type RejectionRow, shorten } from './recent-rejections.js';
import { ToolCounts, type ToolRow } from './tool-counts.js';

/** The figures of a process, or of several. */
export interface FigureLists {
  readonly minutes: readonly MinuteFigures[];
  readonly clients: readonly UsageRow[];
  readonly rejections: readonly RejectionRow[];
  readonly tools: readonly ToolRow[];
  readonly audit: readonly AuditRow[];
}

export const MAX_REJECTIONS = 50;
export const MAX_AUDIT = 30;

/** Is a check of the edge, the last one, so that it counts every request. It rejects none. */
export class Figures implements EdgeCheck {
  readonly countsAll = true;
  readonly #minutes = new MinuteCounts();
  readonly #usage;
  readonly #rejections = new RecentRejections();
  readonly #tools = new ToolCounts();
  readonly #audit = new AuditTail();

  constructor(
    private readonly clock: Clock,
    events: SecurityEvents,
  ) {
    this.#usage = new LimitUsage(clock);
    events.on('request.rejected', event => this.#addRejection(event));
    events.on('tool.rejected', ({ tool, agent }) => {
      // The rejection of an agent's call has an audit record.
      if (agent === undefined) this.#tools.addRejection(tool, this.clock.epochMs());
    });
  }

  check(): undefined {
    this.#minutes.at(this.clock.epochMs()).requests++;
  }

  readonly observeQuota: ObserveQuota = ({ agent, client: { address } }, limits) => {
    for (const limit of limits) this.#usage.note({ agent: shorten(agent?.id), address }, limit);
  };

  readonly observeAudit = (record: AuditRecord): void => {
    this.#audit.add(record);
    this.#tools.add(record, this.clock.epochMs());
  };

  lists(): FigureLists {
    const nowMs = this.clock.epochMs();
    return {
      minutes: this.#minutes.list(nowMs),
      clients: this.#usage.list(),
      rejections: this.#rejections.list(MAX_REJECTIONS, nowMs),
      tools: this.#tools.list(nowMs),
      audit: newest(this.#audit.list(), MAX_AUDIT, nowMs),
    };
  }

  /** Rejections and audit records with a text in their request ID, agent or address. */
  search(text: string, limit: number): Pick<FigureLists, 'rejections' | 'audit'> {
    const nowMs = this.clock.epochMs();
    const matches = (row: Searched): boolean =>
      [row.requestId, row.agent, row.address].some(each => each?.includes(text) === true);
    return {
      rejections: this.#rejections.list(limit, nowMs, matches),
      audit: newest(this.#audit.list().filter(matches), limit, nowMs),
    };
  }

  #addRejection(event: SecurityEvent<'request.rejected'>): void {
    const minute = this.#minutes.at(this.clock.epochMs());
    minute.rejections++;
    minute.codes.add(shorten(event.code)!);
    for (const policy of event.policies ?? []) minute.policies.add(policy);
    this.#rejections.add(event);
  }
}

type Searched = Pick<RejectionRow, 'requestId' | 'agent' | 'address'>;
