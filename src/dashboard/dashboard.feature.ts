/* The option `dashboard`: a page for operators. Off, nothing of it is loaded. */
import { Logger } from '@nestjs/common';
import { AuditTrail, OBSERVE_AUDIT } from '../audit/audit-trail.js';
import type { ResolvedAuth } from '../auth/auth.options.js';
import { Authenticator } from '../auth/authenticator.js';
import { READ_REPORT, type ReadReport } from '../check/check.options.js';
import { CLOCK, type Clock, TIMERS, type Timers } from '../common/clock.js';
import type { EdgeStage } from '../common/edge-stage.js';
import { type Feature, RESOLVED_OPTIONS } from '../common/feature.js';
import { OBSERVE_QUOTA } from '../common/quota-observer.js';
import { UNGUARDED_LIMITER, type UnguardedLimiter } from '../common/unguarded-limiter.js';
import { SecurityEvents } from '../events/security-events.js';
import { ANSWER_NOW, type AnswerNow } from '../http/unread-body.js';
import { QUOTA_ENGINE, type QuotaEngine } from '../limiter/quota-engine.js';
import { AgentSecurityHealth } from '../telemetry/agent-security-health.js';
import { DASHBOARD_STAGE, FIGURES, type ResolvedDashboard, resolveDashboard } from './dashboard.options.js';
import type { Figures } from './figures.js';

interface Options {
  readonly dashboard: ResolvedDashboard | false;
  readonly auth: ResolvedAuth | false;
  readonly rateLimit: unknown;
}

export const DASHBOARD: Feature<'dashboard', ResolvedDashboard | false> = {
  key: 'dashboard',
  resolve: (input, _env, earlier) => resolveDashboard(input, earlier),
  summarize: dashboard =>
    dashboard
      ? {
          text: `dashboard: ${dashboard.path} for ${dashboard.scopes.join(', ')}${dashboard.actionScopes ? `, actions for ${dashboard.actionScopes.join(', ')}` : ''}`,
        }
      : undefined,
  providers: [
    {
      provide: FIGURES,
      useFactory: async (
        { dashboard }: Options,
        clock: Clock,
        events: SecurityEvents,
      ): Promise<Figures | undefined> => {
        if (!dashboard) return undefined;
        const { Figures } = await import('./open-dashboard.js');
        return new Figures(clock, events);
      },
      inject: [RESOLVED_OPTIONS, CLOCK, SecurityEvents],
    },
    { provide: OBSERVE_QUOTA, useFactory: (figures?: Figures) => figures?.observeQuota, inject: [FIGURES] },
    { provide: OBSERVE_AUDIT, useFactory: (figures?: Figures) => figures?.observeAudit, inject: [FIGURES] },
    {
      provide: DASHBOARD_STAGE,
      useFactory: async (
        { dashboard, auth, rateLimit }: Options,
        figures: Figures | undefined,
        authenticator: Authenticator | undefined,
        audit: AuditTrail,
        engine: QuotaEngine,
        limiter: UnguardedLimiter,
        readReport: ReadReport,
        events: SecurityEvents,
        indicator: AgentSecurityHealth,
        clock: Clock,
        timers: Timers,
        answerNow: AnswerNow,
      ): Promise<EdgeStage | undefined> => {
        if (!dashboard || !auth || figures === undefined || authenticator === undefined) return undefined;
        const { DashboardActions, DashboardStage, Health, LiveFigures } = await import('./open-dashboard.js');
        const log = new Logger('AgentSecurity');
        const keysOrigin = auth.apiKeys?.origin;
        const health = new Health({ indicator, engine, audit, keysOrigin, events });
        return new DashboardStage({
          options: dashboard,
          authenticator,
          figures,
          live: new LiveFigures({ figures, health, engine, clock, timers }),
          actions: new DashboardActions({
            audit,
            limiter: rateLimit === false ? undefined : limiter,
            keys: auth.apiKeys?.store,
            log,
          }),
          readReport,
          clock,
          answerNow,
          limiter: engine,
          log,
        });
      },
      inject: [
        RESOLVED_OPTIONS,
        FIGURES,
        Authenticator,
        AuditTrail,
        QUOTA_ENGINE,
        UNGUARDED_LIMITER,
        READ_REPORT,
        SecurityEvents,
        AgentSecurityHealth,
        CLOCK,
        TIMERS,
        ANSWER_NOW,
      ],
    },
  ],
};
