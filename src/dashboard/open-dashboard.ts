/* What the dashboard consists of. Loaded only where the option is set. */
import type { AuditTrail } from '../audit/audit-trail.js';
import type { ResolvedAuth } from '../auth/auth.options.js';
import type { Authenticator } from '../auth/authenticator.js';
import type { ReadReport } from '../check/check.options.js';
import type { Clock, Timers } from '../common/clock.js';
import type { Log } from '../common/log-text.js';
import type { UnguardedLimiter } from '../common/unguarded-limiter.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { AnswerNow } from '../http/unread-body.js';
import type { QuotaEngine } from '../limiter/quota-engine.js';
import type { AgentSecurityHealth } from '../telemetry/agent-security-health.js';
import { DashboardActions } from './actions.js';
import type { ResolvedDashboard } from './dashboard.options.js';
import { DashboardStage } from './dashboard-stage.js';
import type { Figures } from './figures.js';
import { Health } from './health.js';
import { LiveFigures } from './live-figures.js';

export { Figures } from './figures.js';

interface DashboardParts {
  readonly options: ResolvedDashboard;
  readonly auth: ResolvedAuth;
  readonly figures: Figures;
  readonly authenticator: Authenticator;
  readonly audit: AuditTrail;
  readonly engine: QuotaEngine;
  /** `undefined` where `rateLimit` is off. */
  readonly limiter: UnguardedLimiter | undefined;
  readonly readReport: ReadReport;
  readonly events: SecurityEvents;
  readonly indicator: AgentSecurityHealth;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly answerNow: AnswerNow;
  readonly log: Log;
}

export function createDashboardStage(parts: DashboardParts): DashboardStage {
  const { options, auth, figures, authenticator, audit, engine, limiter } = parts;
  const { readReport, events, indicator, clock, timers, answerNow, log } = parts;
  const health = new Health({ indicator, engine, audit, keysOrigin: auth.apiKeys?.origin, events });
  return new DashboardStage({
    options,
    authenticator,
    figures,
    live: new LiveFigures({ figures, health, engine, clock, timers }),
    actions: new DashboardActions({ audit, limiter, keys: auth.apiKeys?.store, log }),
    readReport,
    clock,
    answerNow,
    limiter: engine,
    log,
  });
}
