/* The option `telemetry`, and the health indicator. What measures is loaded on demand (open-telemetry.ts). */
import { Logger } from '@nestjs/common';
import { AuditTrail } from '../audit/audit-trail.js';
import { type ResolvedAudit, resolveAudit } from '../audit/audit.options.js';
import { redactParams } from '../audit/redact.js';
import { ApiKeyVerifier } from '../auth/api-key-verifier.js';
import { CLOCK, type Clock } from '../common/clock.js';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { type Feature, type GuardEntry, provideOptions } from '../common/feature.js';
import { ifInstalled } from '../common/if-installed.js';
import { PROBE } from '../common/probe.js';
import { SecurityEvents } from '../events/security-events.js';
import { QUOTA_ENGINE, type QuotaEngine } from '../limiter/quota-engine.js';
import { ToolPolicy } from '../tools/tool-policy.js';
import { AgentSecurityHealth } from './agent-security-health.js';
import type { Telemetry } from './open-telemetry.js';
import { type ResolvedTelemetry, resolveTelemetry } from './telemetry.options.js';

interface Options {
  readonly telemetry: ResolvedTelemetry | false;
  readonly audit: ResolvedAudit | false;
}

/** Before all other checks and guards of a request, and after them; `undefined` while telemetry is off. */
export const FIRST_CHECK = Symbol('agent-security:telemetry-first-check');
export const LAST_CHECK = Symbol('agent-security:telemetry-last-check');
const FIRST_GUARD = Symbol('agent-security:telemetry-first-guard');
const LAST_GUARD = Symbol('agent-security:telemetry-last-guard');
/** Observes what is read from time to time; closed with the app. */
export const OBSERVED_APP = Symbol('agent-security:observed-app');

const providePart = (provide: symbol, read: (telemetry: Telemetry) => unknown) => ({
  provide,
  useFactory: (telemetry: Telemetry | undefined) => telemetry && read(telemetry),
  inject: [PROBE],
});

export const TELEMETRY: Feature<'telemetry', ResolvedTelemetry | false> = {
  key: 'telemetry',
  resolve: resolveTelemetry,
  verify: async telemetry => void (telemetry && (await load())),
  summarize: telemetry => (telemetry ? { text: 'telemetry: OpenTelemetry' } : undefined),
  providers: [
    provideOptions(PROBE, createProbe, CLOCK, SecurityEvents),
    providePart(FIRST_CHECK, ({ requests }) => requests.checks[0]),
    providePart(LAST_CHECK, ({ requests }) => requests.checks[1]),
    providePart(FIRST_GUARD, ({ requests }) => requests.guards[0]),
    providePart(LAST_GUARD, ({ requests }) => requests.guards[1]),
    {
      provide: OBSERVED_APP,
      useFactory: (
        telemetry: Telemetry | undefined,
        policy: ToolPolicy,
        engine: QuotaEngine,
        audit: AuditTrail,
      ): Telemetry | undefined => {
        telemetry?.observe({
          isTool: name => policy.isDeclared(name),
          toolOf: name => policy.toolOf(name),
          isCircuitOpen: engine.hasStore ? () => engine.isCircuitOpen : undefined,
          sinks: () => audit.sinkStatuses,
        });
        return telemetry;
      },
      inject: [PROBE, ToolPolicy, QUOTA_ENGINE, AuditTrail],
    },
    {
      provide: AgentSecurityHealth,
      useFactory: (limits: QuotaEngine, keys: ApiKeyVerifier | undefined, audit: AuditTrail) =>
        new AgentSecurityHealth({ limits, keys, audit }),
      inject: [QUOTA_ENGINE, ApiKeyVerifier, AuditTrail],
    },
  ],
  exports: [PROBE, AgentSecurityHealth],
};

export const FIRST_TELEMETRY_GUARD: GuardEntry<unknown> = { token: FIRST_GUARD, isOptional: true };
export const LAST_TELEMETRY_GUARD: GuardEntry<unknown> = { token: LAST_GUARD, isOptional: true };

async function createProbe(
  { telemetry, audit }: Options,
  clock: Clock,
  events: SecurityEvents,
): Promise<Telemetry | undefined> {
  if (!telemetry) return undefined;
  const { Telemetry } = await load();
  const shown = audit || (resolveAudit({ logger: true }, () => undefined) as ResolvedAudit);
  const probe = new Telemetry({
    clock,
    log: new Logger('AgentSecurity'),
    showParams: telemetry.arguments ? (params, tool) => redactParams(params, tool.redact, shown) : undefined,
  });
  events.on('request.rejected', probe.requests.countRejection);
  return probe;
}

async function load(): Promise<typeof import('./open-telemetry.js')> {
  const loaded = await ifInstalled('@opentelemetry/api', () => import('./open-telemetry.js'));
  if (loaded !== undefined) return loaded;
  throw new AgentSecurityConfigError(
    'ASEC_OPTION_TYPE',
    'telemetry',
    'needs the package @opentelemetry/api, which is not installed',
    'Run "npm install @opentelemetry/api", or leave telemetry out.',
  );
}
