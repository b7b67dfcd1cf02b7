import { MetadataScanner, ModulesContainer, Reflector } from '@nestjs/core';
import { AuditTrail } from '../audit/audit-trail.js';
import type { ResolvedAudit } from '../audit/audit.options.js';
import { Authenticator } from '../auth/authenticator.js';
import { CLOCK, type Clock } from '../common/clock.js';
import { type Feature, type GuardEntry, RESOLVED_OPTIONS } from '../common/feature.js';
import { SecurityEvents } from '../events/security-events.js';
import { RESOLVED_RATE_LIMIT, type ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import { QUOTA_LIMITER, type QuotaLimiter } from '../limiter/quota-limiter.js';
import { AgentToolGuard } from './agent-tool.guard.js';
import { ToolAuditInterceptor } from './tool-audit.interceptor.js';
import { ToolPolicy } from './tool-policy.js';
import { ToolQuotas } from './tool-quotas.js';
import { ToolRoutes } from './tool-routes.js';
import { ToolRuns } from './tool-runs.js';
import { ToolWatchGuard } from './tool-watch.guard.js';
import { type ResolvedTools, resolveTools } from './tools.options.js';

export const TOOLS: Feature<'tools', ResolvedTools | false> = {
  key: 'tools',
  resolve: resolveTools,
  providers: [
    {
      provide: ToolPolicy,
      useFactory: (
        { tools }: { tools: ResolvedTools | false },
        limits: ResolvedRateLimit,
        limiter: QuotaLimiter,
        events: SecurityEvents,
        clock: Clock,
        authenticator: Authenticator | undefined,
      ) => new ToolPolicy(tools, new ToolQuotas(limits, limiter), events, clock, authenticator?.rejections),
      inject: [RESOLVED_OPTIONS, RESOLVED_RATE_LIMIT, QUOTA_LIMITER, SecurityEvents, CLOCK, Authenticator],
    },
    {
      provide: ToolRoutes,
      useFactory: (reflector: Reflector, modules: ModulesContainer, policy: ToolPolicy) =>
        new ToolRoutes(reflector, modules, new MetadataScanner(), policy),
      inject: [Reflector, ModulesContainer, ToolPolicy],
    },
    {
      provide: ToolRuns,
      useFactory: (audit: AuditTrail, clock: Clock) => new ToolRuns(audit, clock),
      inject: [AuditTrail, CLOCK],
    },
    {
      provide: ToolWatchGuard,
      useFactory: (routes: ToolRoutes, runs: ToolRuns): ToolWatchGuard | undefined =>
        routes.found ? new ToolWatchGuard(routes, runs) : undefined,
      inject: [ToolRoutes, ToolRuns],
    },
    AgentToolGuard,
    ToolAuditInterceptor,
  ],
  exports: [ToolPolicy, AgentToolGuard, ToolRoutes, ToolRuns],
};

/** Runs before all other guards, so that a call which one of them rejects has its audit record. */
export const TOOL_AUDIT_GUARD: GuardEntry<{ readonly audit: ResolvedAudit | false }> = {
  token: ToolWatchGuard,
  isOn: ({ audit }) => audit !== false,
};
