import { Logger } from '@nestjs/common';
import { CLOCK, type Clock } from '../common/clock.js';
import { type Feature, RESOLVED_OPTIONS } from '../common/feature.js';
import { SecurityEvents } from '../events/security-events.js';
import { AuditTrail } from './audit-trail.js';
import { type ResolvedAudit, resolveAudit } from './audit.options.js';
import { openSinks } from './audit-sink.js';

export const AUDIT: Feature<'audit', ResolvedAudit | false> = {
  key: 'audit',
  resolve: resolveAudit,
  providers: [
    {
      provide: AuditTrail,
      useFactory: ({ audit }: { audit: ResolvedAudit | false }, events: SecurityEvents, clock: Clock) => {
        const log = new Logger('AgentSecurity');
        const sinks = audit ? openSinks(audit, new Logger('AgentAudit'), log, () => clock.epochMs()) : [];
        return new AuditTrail(audit, sinks, events, clock, log);
      },
      inject: [RESOLVED_OPTIONS, SecurityEvents, CLOCK],
    },
  ],
  exports: [AuditTrail],
};
