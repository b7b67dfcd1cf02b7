/* The option `logging`, the security events, and what is logged of them. */
import { Logger } from '@nestjs/common';
import { CLOCK, type Clock, type Timers, TIMERS } from '../common/clock.js';
import { type Feature, type FeatureSummary, provideOptions, SUMMARIES } from '../common/feature.js';
import { type ResolvedLogging, resolveLogging } from './logging.options.js';
import { RejectionEvents } from './rejection-events.js';
import { SecurityEvents } from './security-events.js';
import { StartupSummary } from './startup-summary.js';
import { SecurityLog } from './security-log.js';

export const LOGGING: Feature<'logging', ResolvedLogging> = {
  key: 'logging',
  resolve: resolveLogging,
  providers: [
    provideOptions(
      SecurityLog,
      ({ logging: { level } }: { logging: ResolvedLogging }, clock: Clock, timers: Timers) =>
        new SecurityLog(new Logger('AgentSecurity'), level, clock, timers),
      CLOCK,
      TIMERS,
    ),
    {
      provide: SecurityEvents,
      useFactory: ({ write }: SecurityLog) => new SecurityEvents(write),
      inject: [SecurityLog],
    },
    {
      provide: RejectionEvents,
      useFactory: (events: SecurityEvents, clock: Clock) => new RejectionEvents(events, clock),
      inject: [SecurityEvents, CLOCK],
    },
    provideOptions(
      StartupSummary,
      ({ logging }: { logging: ResolvedLogging }, summarize: () => readonly FeatureSummary[]) =>
        new StartupSummary(summarize, new Logger('AgentSecurity'), logging.summary),
      SUMMARIES,
    ),
  ],
  exports: [SecurityEvents],
};
