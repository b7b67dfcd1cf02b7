import { ModulesContainer, Reflector } from '@nestjs/core';
import { AuditTrail } from '../audit/audit-trail.js';
import type { ResolvedAudit } from '../audit/audit.options.js';
import { Authenticator } from '../auth/authenticator.js';
import { CLOCK, type Clock } from '../common/clock.js';
import { type Feature, type GuardEntry, RESOLVED_OPTIONS } from '../common/feature.js';
import { PROBE } from '../common/probe.js';
import { SecurityEvents } from '../events/security-events.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from '../errors/errors.options.js';
import { RESOLVED_RATE_LIMIT, type ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import { QUOTA_ENGINE, type QuotaEngine } from '../limiter/quota-engine.js';
import { AgentToolGuard, ToolCallInterceptor } from './agent-tool.guard.js';
import { ToolCallRecorder } from './tool-call-recorder.js';
import { ToolPolicy } from './tool-policy.js';
import type { ToolProbe } from './tool-probe.js';
import { ToolQuotas } from './tool-quotas.js';
import { ToolRoutes } from './tool-routes.js';
import { type ResolvedTools, resolveTools } from './tools.options.js';

/** Opens calls of tools; `undefined` where the app has none. */
const TOOL_CALLS = Symbol('agent-security:tool-calls');

export const TOOLS: Feature<'tools', ResolvedTools | false> = {
  key: 'tools',
  resolve: resolveTools,
  providers: [
    {
      provide: ToolPolicy,
      useFactory: (
        { tools }: { tools: ResolvedTools | false },
        limits: ResolvedRateLimit,
        engine: QuotaEngine,
        events: SecurityEvents,
        clock: Clock,
        authenticator: Authenticator | undefined,
      ) => new ToolPolicy(tools, new ToolQuotas(limits, engine), events, clock, authenticator?.rejections),
      inject: [RESOLVED_OPTIONS, RESOLVED_RATE_LIMIT, QUOTA_ENGINE, SecurityEvents, CLOCK, Authenticator],
    },
    {
      provide: ToolRoutes,
      useFactory: (reflector: Reflector, modules: ModulesContainer, policy: ToolPolicy) =>
        new ToolRoutes(reflector, modules, policy),
      inject: [Reflector, ModulesContainer, ToolPolicy],
    },
    {
      provide: ToolCallRecorder,
      useFactory: (audit: AuditTrail, clock: Clock) => new ToolCallRecorder(audit, clock),
      inject: [AuditTrail, CLOCK],
    },
    {
      provide: TOOL_CALLS,
      useFactory: (
        routes: ToolRoutes,
        recorder: ToolCallRecorder,
        errors: ResolvedErrors,
        probe: ToolProbe | undefined,
      ): ToolCallInterceptor | undefined =>
        routes.found ? new ToolCallInterceptor(routes, recorder, errors, probe) : undefined,
      inject: [ToolRoutes, ToolCallRecorder, RESOLVED_ERRORS, PROBE],
    },
    AgentToolGuard,
  ],
  exports: [ToolPolicy, AgentToolGuard, ToolRoutes, ToolCallRecorder],
};

/** Runs before all other guards, so that a call which one of them rejects has its audit record. */
export const TOOL_AUDIT_GUARD: GuardEntry<{ readonly audit: ResolvedAudit | false }> = {
  token: TOOL_CALLS,
  isOptional: true,
  isOn: ({ audit }) => audit !== false,
};
