import { type Clock, CLOCK } from '../common/clock.js';
import { type Feature, RESOLVED_OPTIONS } from '../common/feature.js';
import { SecurityEvents } from '../events/security-events.js';
import { QUOTA_ENGINE, type QuotaEngine } from '../limiter/quota-engine.js';
import { ANSWER_NOW, type AnswerNow } from '../http/unread-body.js';
import { CspReportStage } from './csp-report-stage.js';
import { CspReports } from './csp-reports.js';
import { type ResolvedCspReports, resolveCspReports } from './csp-reports.options.js';

interface Options {
  readonly cspReports: ResolvedCspReports | false;
}

export const CSP_REPORTS: Feature<'cspReports', ResolvedCspReports | false> = {
  key: 'cspReports',
  resolve: resolveCspReports,
  providers: [
    { provide: CspReports, useFactory: () => new CspReports() },
    {
      provide: CspReportStage,
      useFactory: (
        { cspReports }: Options,
        reports: CspReports,
        events: SecurityEvents,
        clock: Clock,
        answerNow: AnswerNow,
        engine: QuotaEngine,
      ): CspReportStage | undefined =>
        cspReports === false
          ? undefined
          : new CspReportStage(cspReports.path, reports, events, clock, answerNow, engine),
      inject: [RESOLVED_OPTIONS, CspReports, SecurityEvents, CLOCK, ANSWER_NOW, QUOTA_ENGINE],
    },
  ],
  exports: [CspReports],
};
