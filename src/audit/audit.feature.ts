import { Logger } from '@nestjs/common';
import { CLOCK, type Clock } from '../common/clock.js';
import { type Feature, RESOLVED_OPTIONS, summarizeList } from '../common/feature.js';
import { escapeText } from '../common/log-text.js';
import { SecurityEvents } from '../events/security-events.js';
import { AuditTrail, OBSERVE_AUDIT, type ObserveAudit } from './audit-trail.js';
import { type ResolvedAudit, resolveAudit } from './audit.options.js';
import type { AuditSink } from './audit-sink.js';
import { FileSink } from './file-sink.js';

export const AUDIT: Feature<'audit', ResolvedAudit | false> = {
  key: 'audit',
  resolve: resolveAudit,
  summarize: audit => {
    if (audit === false) return { text: 'audit: none' };
    const { file, key, logger, sinks } = audit;
    const places = [
      ...(file === undefined ? [] : [`${file} (${key === undefined ? 'without a key' : 'with a key'})`]),
      ...(logger === false ? [] : ["Nest's log"]),
      ...sinks.map(({ name }) => name),
    ];
    return { text: `audit: ${summarizeList(places)}` };
  },
  providers: [
    {
      provide: AuditTrail,
      useFactory: (
        { audit }: { audit: ResolvedAudit | false },
        events: SecurityEvents,
        clock: Clock,
        observe: ObserveAudit | undefined,
      ) => {
        const log = new Logger('AgentSecurity');
        const sinks = audit ? createSinks(audit, clock, log) : [];
        return new AuditTrail(audit, sinks, events, clock, log, observe);
      },
      inject: [RESOLVED_OPTIONS, SecurityEvents, CLOCK, OBSERVE_AUDIT],
    },
  ],
  exports: [AuditTrail],
};

/** The sinks of the options, in the order in which they get records. */
function createSinks(options: ResolvedAudit, clock: Clock, log: Logger): AuditSink[] {
  const { file: path, key, maxFileBytes, logger, sinks } = options;
  return [
    ...(path === undefined
      ? []
      : [new FileSink({ path, key, maxFileBytes, now: () => clock.epochMs(), log })]),
    ...(logger === false ? [] : [loggerSink(logger === 'object')]),
    ...sinks,
  ];
}

/** Writes records to Nest's log, which returns at once and shows no failure. */
function loggerSink(asObject: boolean): AuditSink {
  const logger = new Logger('AgentAudit');
  return {
    name: 'logger',
    write(lines): void {
      for (const { record, text } of lines) logger.log(asObject ? record : escapeText(text));
    },
  };
}
