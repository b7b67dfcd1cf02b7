/* Every provider of the module, feature by feature: what is decided once, at start-up, from the options. */
import { Logger, type Provider } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import {
  ApplicationConfig,
  HttpAdapterHost,
  MetadataScanner,
  ModulesContainer,
  Reflector,
} from '@nestjs/core';
import { type AgentSecurityOptions, type ResolvedOptions, resolveOptions } from './agent-security.options.js';
import { ApiKeyVerifier } from './auth/api-key-verifier.js';
import { AuthGuard } from './auth/auth.guard.js';
import { bookError } from './auth/api-keys.options.js';
import { RESOLVED_AUTH } from './auth/auth.options.js';
import { Authenticator, TOKEN_VERIFIER, type TokenVerifier } from './auth/authenticator.js';
import { Gateways } from './auth/gateways.js';
import { HandshakeAuthenticator } from './auth/handshake-authenticator.js';
import { API_KEY_SCHEMES, TOKEN_SCHEMES } from './auth/describe-openapi.js';
import { OpenConnections } from './auth/open-connections.js';
import { installOpenApi, OpenApiDescriber } from './auth/openapi-describer.js';
import { mayCarryAgent } from './auth/may-carry-agent.js';
import { RouteAccesses } from './auth/route-accesses.js';
import { ScopesGuard } from './auth/scopes.guard.js';
import { AuditTrail } from './audit/audit-trail.js';
import { openSinks } from './audit/open-sinks.js';
import { BodyGuard, RESOLVED_BODY } from './body/body.guard.js';
import { DEFAULT_MAX_KEYS, resolveBody } from './body/body.options.js';
import { ANSWER_NOW, type AnswerNow } from './http/answer-now.js';
import { MAY_CARRY_AGENT, type MayCarryAgent } from './common/agent.js';
import { CLOCK, type Clock, systemClock } from './common/clock.js';
import { SecurityEvents } from './events/security-events.js';
import { CspReportStage } from './csp-reports/csp-report-stage.js';
import { CspReports } from './csp-reports/csp-reports.js';
import { RESOLVED_ERRORS, resolveErrors } from './errors/errors.options.js';
import { systemTimers, TIMERS, type Timers } from './common/timers.js';
import {
  ProblemDetailsFilter,
  UNGUARDED_LIMITER,
  type UnguardedLimiter,
} from './errors/problem-details.filter.js';
import { createAnswerNow } from './edge/answer.js';
import { Edge } from './edge/edge.js';
import { EDGE_STAGES, type EdgeStage } from './common/edge-stage.js';
import { PollingStage } from './edge/polling-stage.js';
import { UrlCredentialStage } from './edge/url-credential-stage.js';
import { allowOverride, findVerbs } from './edge/install-verbs.js';
import { HEADER_SETTINGS, type HeaderSettings } from './headers/header-settings.js';
import { SecurityHeadersInterceptor } from './headers/security-headers.interceptor.js';
import { HostGuard } from './host/host.guard.js';
import { KNOWN_DENIALS, MAX_KNOWN_DENIALS } from './rate-limit/known-denials.js';
import { EndpointDetector } from './mcp/endpoint-detector.js';
import { McpAuthenticator } from './mcp/mcp-authenticator.js';
import { McpPaths } from './mcp/mcp-path.js';
import { MCP_PORTS, type McpPorts } from './mcp/mcp-ports.js';
import { McpStage } from './mcp/mcp-stage.js';
import { McpToolGate } from './mcp/mcp-tools.js';
import { readMount, UnansweredPaths } from './mcp/unanswered-paths.js';
import { PrivateNetworkGuard } from './network/private-network.guard.js';
import { RateLimitGuard } from './rate-limit/rate-limit.guard.js';
import type { ConnectedRedisStore } from './redis/open-store.js';
import {
  RATE_LIMIT_OFF,
  rejectsAny,
  RESOLVED_RATE_LIMIT,
  type ResolvedRateLimit,
} from './rate-limit/rate-limit.options.js';
import { RateLimiter } from './rate-limit/rate-limiter.js';
import { DenialMemory } from './limiter/denial-memory.js';
import { openTokens, type TokenServices } from './auth/open-tokens.js';
import { TokenEndpoint } from './tokens/token-endpoint.js';
import { RequestIdInterceptor, RESOLVED_REQUEST_ID } from './request-id/request-id.interceptor.js';
import { AgentToolGuard } from './tools/agent-tool.guard.js';
import { ToolAuditInterceptor } from './tools/tool-audit.interceptor.js';
import { ToolPolicy } from './tools/tool-policy.js';
import { ToolQuotas } from './tools/tool-quotas.js';
import { ToolRoutes } from './tools/tool-routes.js';
import { ToolRuns } from './tools/tool-runs.js';
import { ToolWatchGuard } from './tools/tool-watch.guard.js';
import { RESOLVED_TIMEOUT, TimeoutGuard } from './time/timeout.guard.js';
import type { ResolvedRouteTimeout } from './time/timeout.options.js';
import { logText } from './common/log-text.js';

export const OPTIONS = Symbol('agent-security:options');
export const RESOLVED = Symbol('agent-security:resolved-options');
export const VERBS = Symbol('agent-security:verbs');
export const REDIS_STORE = Symbol('agent-security:redis-store');
const TOKEN_SERVICES = Symbol('agent-security:token-services');
const TOKEN_STAGES = Symbol('agent-security:token-stages');

/** The store that the module opens for a URL. */
export interface OwnStore {
  readonly store: ConnectedRedisStore | undefined;
}

const TIMEOUT_OFF: ResolvedRouteTimeout = { handlerMs: undefined, idleMs: undefined };

/** Providers that hold one part of the resolved options. */
const part = <T>(provide: symbol, read: (options: ResolvedOptions) => T): Provider => ({
  provide,
  useFactory: read,
  inject: [RESOLVED],
});

export const PROVIDERS: Provider[] = [
  {
    provide: RESOLVED,
    useFactory: (options: AgentSecurityOptions, config: ConfigService) =>
      resolveOptions(options, name => config.get<string>(name)),
    inject: [OPTIONS, ConfigService],
  },
  {
    provide: REDIS_STORE,
    // Loaded on demand, so that nobody needs a Redis client who has no Redis. In an object of its own, so that Nest does not call its hooks: the
    // module closes it, after what its requests held was released.
    useFactory: async ({ rateLimit }: ResolvedOptions): Promise<OwnStore> => {
      if (!rateLimit || rateLimit.redisUrl === undefined) return { store: undefined };
      const { openRedisStore } = await import('./redis/open-store.js');
      return { store: await openRedisStore('REDIS_URL', rateLimit.redisUrl) };
    },
    inject: [RESOLVED],
  },
  {
    provide: RESOLVED_RATE_LIMIT,
    useFactory: ({ rateLimit }: ResolvedOptions, { store }: OwnStore): ResolvedRateLimit =>
      rateLimit ? { ...rateLimit, store: rateLimit.store ?? store } : RATE_LIMIT_OFF,
    inject: [RESOLVED, REDIS_STORE],
  },
  part(RESOLVED_REQUEST_ID, ({ requestId }) => requestId),
  part(RESOLVED_ERRORS, ({ errors }) => errors || resolveErrors({})),
  part(RESOLVED_BODY, ({ body }) => body || resolveBody({})),
  part<HeaderSettings>(HEADER_SETTINGS, ({ headers, noStore, requestId, cors, cspReports }) => ({
    input: headers,
    noStore,
    requestIdHeader: requestId === false ? undefined : requestId.header,
    varyByOrigin: cors !== false && cors.varies,
    reportPath: cspReports === false ? undefined : cspReports.path,
  })),
  part(RESOLVED_AUTH, ({ auth }) => auth),
  {
    provide: OpenConnections,
    useFactory: (clock: Clock, timers: Timers, events: SecurityEvents) =>
      new OpenConnections(clock, timers, events),
    inject: [CLOCK, TIMERS, SecurityEvents],
  },
  {
    provide: ApiKeyVerifier,
    useFactory: async (
      { auth }: ResolvedOptions,
      clock: Clock,
      events: SecurityEvents,
      connections: OpenConnections,
    ): Promise<ApiKeyVerifier | undefined> => {
      if (!auth || auth.apiKeys === undefined) return undefined;
      const { store, origin, digests, prefix } = auth.apiKeys;
      const log = new Logger('ApiKeys');
      try {
        await store.open?.({
          warn: message => log.warn(logText(message)),
          revoked: (keyId, agent) => {
            events.emit({ type: 'auth.key-revoked', timeMs: clock.epochMs(), agent, keyId });
            connections.checkSoon();
          },
        });
      } catch (error) {
        throw bookError(origin, error);
      }
      return new ApiKeyVerifier(store, digests, prefix, clock);
    },
    inject: [RESOLVED, CLOCK, SecurityEvents, OpenConnections],
  },
  {
    provide: TOKEN_SERVICES,
    useFactory: async ({ auth }: ResolvedOptions, clock: Clock): Promise<TokenServices | undefined> => {
      if (!auth) return undefined;
      const log = new Logger('Tokens');
      return openTokens(auth, clock, message => log.warn(logText(message)));
    },
    inject: [RESOLVED, CLOCK],
  },
  {
    provide: TOKEN_VERIFIER,
    useFactory: (services: TokenServices | undefined): TokenVerifier | undefined => services?.verifier,
    inject: [TOKEN_SERVICES],
  },
  {
    provide: Authenticator,
    useFactory: (
      { auth, rateLimit }: ResolvedOptions,
      apiKeys: ApiKeyVerifier | undefined,
      tokens: TokenVerifier | undefined,
      clock: Clock,
      events: SecurityEvents,
      connections: OpenConnections,
    ): Authenticator | undefined => {
      if (!auth) return undefined;
      const { maxClients, headers } = rateLimit || RATE_LIMIT_OFF;
      const log = new Logger('AgentSecurity');
      return new Authenticator({
        options: auth,
        apiKeys,
        tokens,
        clock,
        events,
        connections,
        maxClients,
        headers,
        log,
      });
    },
    inject: [RESOLVED, ApiKeyVerifier, TOKEN_VERIFIER, CLOCK, SecurityEvents, OpenConnections],
  },
  {
    provide: Gateways,
    useFactory: ({ auth }: ResolvedOptions, modules: ModulesContainer, config: ApplicationConfig) =>
      new Gateways(modules, config, auth ? auth.publicPaths : new Set()),
    inject: [RESOLVED, ModulesContainer, ApplicationConfig],
  },
  {
    provide: HandshakeAuthenticator,
    useFactory: (
      { auth }: ResolvedOptions,
      authenticator: Authenticator | undefined,
      gateways: Gateways,
    ): HandshakeAuthenticator | undefined =>
      auth && authenticator
        ? new HandshakeAuthenticator(authenticator, auth.urlParameters, gateways)
        : undefined,
    inject: [RESOLVED, Authenticator, Gateways],
  },
  {
    provide: OpenApiDescriber,
    // Here and not at init: documents are made between NestFactory.create() and listen().
    useFactory: async (
      { auth, rateLimit }: ResolvedOptions,
      accesses: RouteAccesses,
      tokens: TokenVerifier | undefined,
      modules: ModulesContainer,
    ): Promise<OpenApiDescriber | undefined> => {
      if (!auth || !auth.openapi) return undefined;
      await installOpenApi();
      const schemes =
        auth.apiKeys === undefined ? (tokens === undefined ? [] : TOKEN_SCHEMES) : API_KEY_SCHEMES;
      return new OpenApiDescriber(modules, accesses, schemes, rateLimit && rejectsAny(rateLimit));
    },
    inject: [RESOLVED, RouteAccesses, TOKEN_VERIFIER, ModulesContainer],
  },
  {
    provide: Edge,
    useFactory: (
      options: ResolvedOptions,
      settings: HeaderSettings,
      clock: Clock,
      denials: DenialMemory,
      carries: MayCarryAgent,
      stages: readonly EdgeStage[],
      handshakes: HandshakeAuthenticator | undefined,
      verbs: ReadonlySet<string>,
      limiter: UnguardedLimiter,
    ) =>
      new Edge({
        options: allowOverride(options, verbs),
        settings,
        clock,
        log: new Logger('AgentSecurity'),
        denials,
        mayCarryAgent: carries,
        stages,
        verbs,
        handshakes,
        chargeFailed: options.rateLimit ? state => limiter.chargeFailed?.(state) : undefined,
      }),
    inject: [
      RESOLVED,
      HEADER_SETTINGS,
      CLOCK,
      KNOWN_DENIALS,
      MAY_CARRY_AGENT,
      EDGE_STAGES,
      HandshakeAuthenticator,
      VERBS,
      UNGUARDED_LIMITER,
    ],
  },
  { provide: VERBS, useFactory: findVerbs, inject: [ModulesContainer] },
  {
    provide: TOKEN_STAGES,
    useFactory: tokenStages,
    inject: [RESOLVED, TOKEN_SERVICES, ApiKeyVerifier, Authenticator, CLOCK],
  },
  // In the order in which they run.
  {
    provide: EDGE_STAGES,
    useFactory: (
      { auth, errors, cspReports, webSockets, mcp: mcpOptions }: ResolvedOptions,
      mcp: McpStage | undefined,
      mcpPaths: McpPaths | undefined,
      gateways: Gateways,
      handshakes: HandshakeAuthenticator | undefined,
      reports: CspReports,
      events: SecurityEvents,
      clock: Clock,
      answerNow: AnswerNow,
      tokens: readonly EdgeStage[],
    ): readonly EdgeStage[] => [
      ...(mcp ? [mcp] : []),
      ...(mcpOptions === false ? [] : [new EndpointDetector(mcpPaths, new Logger('AgentSecurity'))]),
      ...(auth ? [new UrlCredentialStage(auth.urlParameters, errors)] : []),
      ...(cspReports === false ? [] : [new CspReportStage(cspReports, reports, events, clock, answerNow)]),
      new PollingStage(gateways, webSockets, handshakes, errors),
      ...tokens,
    ],
    inject: [
      RESOLVED,
      McpStage,
      McpPaths,
      Gateways,
      HandshakeAuthenticator,
      CspReports,
      SecurityEvents,
      CLOCK,
      ANSWER_NOW,
      TOKEN_STAGES,
    ],
  },
  {
    provide: McpStage,
    useFactory: (
      { mcp, errors, body }: ResolvedOptions,
      paths: McpPaths | undefined,
      ports: McpPorts,
      clock: Clock,
    ): McpStage | undefined => {
      if (!mcp || paths === undefined) return undefined;
      const log = new Logger('AgentSecurity');
      const typeBase = errors ? errors.typeBase : undefined;
      const maxKeys = body ? body.maxKeys : DEFAULT_MAX_KEYS;
      return new McpStage(mcp, paths, ports, clock, log, typeBase, maxKeys);
    },
    inject: [RESOLVED, McpPaths, MCP_PORTS, CLOCK],
  },
  {
    provide: McpPaths,
    useFactory: ({ mcp }: ResolvedOptions, config: ApplicationConfig): McpPaths | undefined =>
      mcp ? new McpPaths(mcp.paths, () => readMount(config)) : undefined,
    inject: [RESOLVED, ApplicationConfig],
  },
  {
    provide: UnansweredPaths,
    useFactory: (paths: McpPaths | undefined, host: HttpAdapterHost): UnansweredPaths | undefined =>
      paths && new UnansweredPaths(paths, host, new Logger('AgentSecurity')),
    inject: [McpPaths, HttpAdapterHost],
  },
  {
    provide: MCP_PORTS,
    useFactory: (
      { rateLimit, auth }: ResolvedOptions,
      guard: RateLimitGuard,
      policy: ToolPolicy,
      audit: AuditTrail,
      authenticator: Authenticator | undefined,
    ): McpPorts => ({
      identity: auth && authenticator ? new McpAuthenticator(authenticator) : undefined,
      // A guard that a test puts in place lacks the method.
      limiter: rateLimit ? { limit: async (...call) => guard.limitRaw?.(...call) } : undefined,
      tools: new McpToolGate(policy, audit),
    }),
    inject: [RESOLVED, RateLimitGuard, ToolPolicy, AuditTrail, Authenticator],
  },
  {
    provide: CspReports,
    useFactory: ({ cspReports }: ResolvedOptions) =>
      new CspReports(cspReports === false ? 0 : cspReports.maxKinds),
    inject: [RESOLVED],
  },
  { provide: KNOWN_DENIALS, useFactory: () => new DenialMemory(MAX_KNOWN_DENIALS) },
  { provide: MAY_CARRY_AGENT, useFactory: mayCarryAgent, inject: [RESOLVED_AUTH] },
  { provide: CLOCK, useValue: systemClock },
  { provide: TIMERS, useValue: systemTimers },
  part<ResolvedRouteTimeout>(RESOLVED_TIMEOUT, ({ timeout }) => timeout || TIMEOUT_OFF),
  part<AnswerNow>(ANSWER_NOW, ({ errors }) => createAnswerNow(errors)),
  { provide: UNGUARDED_LIMITER, useExisting: RateLimitGuard },
  {
    provide: ToolPolicy,
    useFactory: (
      { tools }: ResolvedOptions,
      limits: ResolvedRateLimit,
      limiter: RateLimiter,
      events: SecurityEvents,
      clock: Clock,
      authenticator: Authenticator | undefined,
    ) => new ToolPolicy(tools, new ToolQuotas(limits, limiter), events, clock, authenticator?.rejections),
    inject: [RESOLVED, RESOLVED_RATE_LIMIT, RateLimiter, SecurityEvents, CLOCK, Authenticator],
  },
  {
    provide: AuditTrail,
    useFactory: ({ audit }: ResolvedOptions, events: SecurityEvents, clock: Clock) => {
      const log = new Logger('AgentSecurity');
      const sinks = audit ? openSinks(audit, new Logger('AgentAudit'), log, () => clock.epochMs()) : [];
      return new AuditTrail(audit, sinks, events, clock, log);
    },
    inject: [RESOLVED, SecurityEvents, CLOCK],
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
  ToolWatchGuard,
  AgentToolGuard,
  ToolAuditInterceptor,
  SecurityEvents,
  RateLimiter,
  RouteAccesses,
  HostGuard,
  AuthGuard,
  RateLimitGuard,
  PrivateNetworkGuard,
  ScopesGuard,
  BodyGuard,
  TimeoutGuard,
  SecurityHeadersInterceptor,
  RequestIdInterceptor,
  ProblemDetailsFilter,
];

/** What is answered about tokens before routing. */
function tokenStages(
  { auth, rateLimit }: ResolvedOptions,
  services: TokenServices | undefined,
  apiKeys: ApiKeyVerifier | undefined,
  authenticator: Authenticator | undefined,
  clock: Clock,
): readonly EdgeStage[] {
  if (!auth || services === undefined) return [];
  const { jose, metadata, issuer, issuerDpop } = services;
  const documents = metadata === undefined ? [] : [metadata];
  if (auth.tokenEndpoint === undefined || issuer === undefined || !apiKeys || !authenticator)
    return documents;
  const { maxClients, headers } = rateLimit || RATE_LIMIT_OFF;
  const log = new Logger('Tokens');
  const endpoint = new TokenEndpoint({
    options: auth.tokenEndpoint,
    clients: apiKeys,
    countFailure: (state, reason, secret) =>
      authenticator.countRejected(state, reason, undefined, secret)?.headers,
    issuer,
    dpop: issuerDpop,
    jose,
    clock,
    realm: auth.realm,
    maxClients,
    sendsQuota: headers,
    logError: message => log.error(logText(message)),
  });
  return [...documents, endpoint];
}
