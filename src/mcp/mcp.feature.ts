import { Logger } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { AuditTrail } from '../audit/audit-trail.js';
import { Authenticator } from '../auth/authenticator.js';
import { DEFAULT_MAX_KEYS, type ResolvedBody } from '../body/body.options.js';
import { CLOCK, type Clock } from '../common/clock.js';
import type { EdgeStage } from '../common/edge-stage.js';
import { type Feature, RESOLVED_OPTIONS, summarizeList } from '../common/feature.js';
import { PROBE } from '../common/probe.js';
import { rejectPublicSuffixes } from '../common/public-suffix.js';
import type { ResolvedErrors } from '../errors/errors.options.js';
import { UNGUARDED_LIMITER, type UnguardedLimiter } from '../common/unguarded-limiter.js';
import { QUOTA_ENGINE, type QuotaEngine } from '../limiter/quota-engine.js';
import type { ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import { ToolPolicy } from '../tools/tool-policy.js';
import { EndpointDetector } from './endpoint-detector.js';
import { McpPaths } from './mcp-path.js';
import type { McpProbe } from './mcp-probe.js';
import { McpStartup } from './mcp-startup.js';
import { AppRoutes } from '../http/app-routes.js';
import { readMount } from '../http/route-mount.js';
import { MCP_STAGE, type ResolvedMcp, resolveMcp } from './mcp.options.js';

interface Options {
  /** `undefined` where the option is not set. */
  readonly mcp: ResolvedMcp | false | undefined;
  readonly errors: ResolvedErrors | false;
  readonly body: ResolvedBody | false;
  readonly rateLimit: ResolvedRateLimit | false;
}

export const MCP: Feature<'mcp', ResolvedMcp | false | undefined> = {
  key: 'mcp',
  resolve: resolveMcp,
  verify: async mcp => rejectPublicSuffixes('ASEC_HOST_ANY', (mcp && mcp.hosts?.suffixes.values()) || []),
  summarize: mcp =>
    mcp
      ? {
          text: `MCP: ${summarizeList(mcp.path)}; clients of ${mcp.network === 'any' ? 'any network' : `network ${mcp.network}`}`,
        }
      : undefined,
  providers: [
    {
      provide: McpPaths,
      useFactory: ({ mcp }: Options, config: ApplicationConfig): McpPaths | undefined =>
        mcp ? new McpPaths(mcp.path, () => readMount(config)) : undefined,
      inject: [RESOLVED_OPTIONS, ApplicationConfig],
    },
    {
      provide: McpStartup,
      useFactory: (
        { mcp }: Options,
        paths: McpPaths | undefined,
        host: HttpAdapterHost,
        routes: AppRoutes,
      ): McpStartup | undefined =>
        mcp && paths
          ? new McpStartup(mcp.network, paths, host, routes, new Logger('AgentSecurity'))
          : undefined,
      inject: [RESOLVED_OPTIONS, McpPaths, HttpAdapterHost, AppRoutes],
    },
    {
      provide: MCP_STAGE,
      useFactory: async (
        { mcp, errors, body, rateLimit }: Options,
        paths: McpPaths | undefined,
        authenticator: Authenticator | undefined,
        limiter: UnguardedLimiter,
        policy: ToolPolicy,
        audit: AuditTrail,
        clock: Clock,
        engine: QuotaEngine,
        probe: McpProbe | undefined,
      ): Promise<EdgeStage | undefined> => {
        if (!mcp || paths === undefined) return undefined;
        const { McpStage, McpTools } = await import('./mcp-stage.js');
        return new McpStage({
          options: mcp,
          paths,
          authenticator,
          limiter: rateLimit ? limiter : undefined,
          engine,
          tools: new McpTools(policy, audit),
          clock,
          log: new Logger('AgentSecurity'),
          typeBase: errors ? errors.typeBase : undefined,
          maxKeys: body ? body.maxKeys : DEFAULT_MAX_KEYS,
          probe,
        });
      },
      inject: [
        RESOLVED_OPTIONS,
        McpPaths,
        Authenticator,
        UNGUARDED_LIMITER,
        ToolPolicy,
        AuditTrail,
        CLOCK,
        QUOTA_ENGINE,
        PROBE,
      ],
    },
    {
      provide: EndpointDetector,
      useFactory: ({ mcp }: Options, paths: McpPaths | undefined): EndpointDetector | undefined =>
        mcp === false ? undefined : new EndpointDetector(paths, new Logger('AgentSecurity')),
      inject: [RESOLVED_OPTIONS, McpPaths],
    },
  ],
};
