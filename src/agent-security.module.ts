import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  OPTIONS,
  type OwnStore,
  PROVIDERS,
  REDIS_STORE,
  RESOLVED,
  VERBS,
} from './agent-security.providers.js';
import {
  type BeforeApplicationShutdown,
  type CanActivate,
  type DynamicModule,
  Global,
  Inject,
  type InjectionToken,
  Logger,
  Module,
  type ModuleMetadata,
  NotFoundException,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OptionalFactoryDependency,
  type Provider,
  type Type,
  VersioningType,
} from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { type AbstractHttpAdapter, ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import {
  type AgentSecurityOptions,
  readFactoryOptions,
  type ResolvedOptions,
} from './agent-security.options.js';
import { ApiKeyVerifier } from './auth/api-key-verifier.js';
import { AuthGuard } from './auth/auth.guard.js';
import { Authenticator } from './auth/authenticator.js';
import { RouteAccesses } from './auth/route-accesses.js';
import { ScopesGuard } from './auth/scopes.guard.js';
import { AuditTrail } from './audit/audit-trail.js';
import { BodyGuard } from './body/body.guard.js';
import { ANSWER_NOW } from './http/answer-now.js';
import { AgentSecurityConfigError } from './common/config-error.js';
import { logLine } from './common/log-text.js';
import { readArgument, readGiven, readObject } from './common/read-options.js';
import { SecurityEvents } from './events/security-events.js';
import { CspReports } from './csp-reports/csp-reports.js';
import { RESOLVED_ERRORS } from './errors/errors.options.js';
import { TIMERS, type Timers } from './common/timers.js';
import { ProblemDetailsFilter } from './errors/problem-details.filter.js';
import { Edge } from './edge/edge.js';
import { installOnServer } from './edge/install-on-server.js';
import { installEdge } from './edge/install-in-adapter.js';
import { installStreamErrors } from './edge/install-stream-errors.js';
import { installVerbs } from './edge/install-verbs.js';
import { markFailures } from './edge/mark-failures.js';
import { HEADER_SETTINGS } from './headers/header-settings.js';
import { SecurityHeadersInterceptor } from './headers/security-headers.interceptor.js';
import { HostGuard } from './host/host.guard.js';
import { KNOWN_DENIALS } from './rate-limit/known-denials.js';
import { guardListening } from './network/guard-listening.js';
import { RateLimitGuard } from './rate-limit/rate-limit.guard.js';
import { RateLimiter } from './rate-limit/rate-limiter.js';
import { DenialMemory } from './limiter/denial-memory.js';
import { RequestIdInterceptor, RESOLVED_REQUEST_ID } from './request-id/request-id.interceptor.js';
import { MessageGuard } from './websockets/message.guard.js';
import { AgentToolGuard } from './tools/agent-tool.guard.js';
import { ToolPolicy } from './tools/tool-policy.js';
import { ToolRoutes } from './tools/tool-routes.js';
import { ToolRuns } from './tools/tool-runs.js';
import { ToolWatchGuard } from './tools/tool-watch.guard.js';
import { ServerConnections } from './time/server-connections.js';
import { setServerLimits } from './time/server-limits.js';
import { RESOLVED_TIMEOUT, TimeoutGuard } from './time/timeout.guard.js';

/** For `useClass` and `useExisting`. */
export interface AgentSecurityOptionsFactory {
  createAgentSecurityOptions(): Promise<AgentSecurityOptions> | AgentSecurityOptions;
}

export interface AgentSecurityExtras {
  /**
   * Providers in place of the module's own, such as `{ provide: RateLimitGuard, useClass: MyRateLimitGuard }`.
   * @default []
   */
  providers?: Provider[];
}

export interface AgentSecurityAsyncOptions extends Pick<ModuleMetadata, 'imports'>, AgentSecurityExtras {
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  // The parameters are whatever `inject` names.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  useFactory?: (...args: any[]) => Promise<AgentSecurityOptions> | AgentSecurityOptions;
  useClass?: Type<AgentSecurityOptionsFactory>;
  useExisting?: InjectionToken<AgentSecurityOptionsFactory>;
}

const ASYNC_KEYS = ['imports', 'inject', 'useFactory', 'useClass', 'useExisting', 'providers'] as const;

/** The apps that have this module, by what each has one of. */
const CONFIGURED = new WeakSet<ApplicationConfig>();

/** Protects every response of the app: `imports: [AgentSecurityModule.forRoot()]`. */
@Global()
@Module({})
export class AgentSecurityModule
  implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  private readonly connections: ServerConnections;

  /**
   * @throws AgentSecurityConfigError at start-up, for an option or an environment variable that is wrong
   */
  static forRoot(...given: [options?: AgentSecurityOptions, extras?: AgentSecurityExtras]): DynamicModule {
    const options = readArgument<AgentSecurityOptions>('the options of forRoot()', given, {});
    const extras = readArgument<AgentSecurityExtras>('the extras of forRoot()', given.slice(1), {});
    readObject('the extras of forRoot()', extras, ['providers']);
    return define([{ provide: OPTIONS, useValue: options }], [], extras);
  }

  /** The same with options that other providers know: `useFactory`, `useClass` or `useExisting`. */
  static forRootAsync(async: AgentSecurityAsyncOptions): DynamicModule {
    readObject('forRootAsync()', readGiven('forRootAsync()', async), ASYNC_KEYS);
    return define(asyncProviders(async), async.imports ?? [], async);
  }

  // Installed while providers are constructed: later, Express has its routes and what is added lands behind them.
  // Guards given to ApplicationConfig here run before the app's own, filters after them; given as APP_GUARD and
  // APP_FILTER it would be the other way round. They come from the container, so that tests can override them.
  constructor(
    @Inject(RESOLVED) private readonly options: ResolvedOptions,
    private readonly edge: Edge,
    private readonly adapterHost: HttpAdapterHost,
    private readonly config: ApplicationConfig,
    @Inject(KNOWN_DENIALS) private readonly denials: DenialMemory,
    hostGuard: HostGuard,
    authGuard: AuthGuard,
    rateLimitGuard: RateLimitGuard,
    scopesGuard: ScopesGuard,
    bodyGuard: BodyGuard,
    toolWatchGuard: ToolWatchGuard,
    toolRoutes: ToolRoutes,
    timeoutGuard: TimeoutGuard,
    private readonly filter: ProblemDetailsFilter,
    @Inject(VERBS) verbs: ReadonlySet<string>,
    @Inject(TIMERS) timers: Timers,
    private readonly audit: AuditTrail,
    private readonly limiter: RateLimiter,
    @Inject(REDIS_STORE) private readonly own: OwnStore,
  ) {
    this.connections = new ServerConnections(timers);
    // Here and not only where the adapter comes: with Test.createTestingModule() an error there would reach nobody.
    if (CONFIGURED.has(config)) {
      throw new AgentSecurityConfigError(
        'ASEC_MODULE_TWICE',
        'AgentSecurityModule',
        'is configured twice in this app',
        'Call forRoot() or forRootAsync() once, in the root module: its guards and services are global.',
      );
    }
    CONFIGURED.add(config);
    const limitsTime = options.timeout !== false && (options.timeout.handlerMs || options.timeout.idleMs);
    const typeBase = options.errors ? options.errors.typeBase : undefined;
    const forMessages = (guard: CanActivate): CanActivate => new MessageGuard(guard, typeBase);
    config.useGlobalGuards(
      // First, so that what the guards wait for counts.
      ...(limitsTime ? [timeoutGuard] : []),
      ...(toolRoutes.found && options.audit ? [toolWatchGuard] : []),
      hostGuard,
      ...(options.auth ? [forMessages(authGuard)] : []),
      ...(options.rateLimit ? [forMessages(rateLimitGuard)] : []),
      ...(options.auth ? [forMessages(scopesGuard)] : []),
      ...(options.body ? [bodyGuard] : []),
    );
    if (options.errors) config.useGlobalFilters(filter);
    const logger = new Logger('AgentSecurity');
    const install = (adapter: AbstractHttpAdapter | null | undefined): void => {
      if (!adapter) return;
      installEdge(adapter, edge, options.cors !== false, logger);
      installVerbs(adapter, verbs);
      markFailures(adapter);
      if (options.errors) installStreamErrors(adapter, (...failed) => this.answerUnhandled(...failed));
    };
    // With Test.createTestingModule() the adapter comes later; without HTTP it never does.
    if (adapterHost.httpAdapter) install(adapterHost.httpAdapter);
    else adapterHost.init$.subscribe(() => install(adapterHost.httpAdapter));
  }

  /** The server is there by now, and does not listen yet. */
  async onApplicationBootstrap(): Promise<void> {
    // Not earlier: a start that fails before must not leave a connection that keeps the process alive.
    await this.own.store?.connect();
    // What a path has refused says nothing of the next request to it if headers choose the route.
    const versioning = this.config.getVersioning();
    if (versioning !== undefined && versioning.type !== VersioningType.URI) this.denials.disable();
    const adapter = this.adapterHost.httpAdapter;
    const server = adapter?.getHttpServer();
    if (typeof server?.listeners !== 'function') return;
    this.connections.follow(server);
    // Under a global prefix, Nest's own 404 and error handlers know that prefix alone; the rest, Express would answer with
    // HTML that holds the path or the stack.
    const answersAll = this.options.errors !== false && adapter.getType() === 'express';
    if (this.options.timeout !== false) setServerLimits(server, this.options.timeout.server);
    const { mcp } = this.options;
    if (mcp) guardListening(server, mcp.network);
    installOnServer(server, this.edge, answersAll ? (...call) => this.answerUnhandled(...call) : undefined);
  }

  /** Nest closes the server next, which waits for the requests that are under way: not longer than `timeout.shutdown`. */
  beforeApplicationShutdown(): void {
    const { timeout } = this.options;
    if (timeout === false || timeout.shutdownMs === false) return;
    this.connections.cutAfter(timeout.shutdownMs, count => {
      if (count > 0)
        new Logger('AgentSecurity').warn(
          logLine`${count} connections were still open at the end of timeout.shutdown, and were closed. Tool calls on them end as aborted.`,
        );
    });
  }

  /** In this order: responses have ended, outcomes are recorded, slots released; then sinks and stores are closed. */
  async onApplicationShutdown(): Promise<void> {
    await this.connections.closed();
    await this.limiter.close();
    await this.audit.close();
    this.own.store?.close();
    if (this.options.auth) await this.options.auth.apiKeys?.store.close?.();
  }

  private answerUnhandled(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const exception =
      error ?? new NotFoundException('No route matches the method and the path of the request.');
    // oxlint-disable-next-line promise/valid-params -- an exception filter's catch(), not a promise's
    this.filter.catch(exception, new ExecutionContextHost([request, response]));
  }
}

function define(
  options: Provider[],
  imports: ModuleMetadata['imports'],
  extras: AgentSecurityExtras,
): DynamicModule {
  return {
    module: AgentSecurityModule,
    imports: [ConfigModule.forRoot(), ...(imports ?? [])],
    providers: [...options, ...PROVIDERS, ...(extras.providers ?? [])],
    exports: [
      CspReports,
      SecurityEvents,
      ToolPolicy,
      AuditTrail,
      AgentToolGuard,
      ToolRoutes,
      ToolRuns,
      RateLimiter,
      Authenticator,
      ApiKeyVerifier,
      RouteAccesses,
      HostGuard,
      AuthGuard,
      RateLimitGuard,
      ScopesGuard,
      SecurityHeadersInterceptor,
      RequestIdInterceptor,
      ProblemDetailsFilter,
      HEADER_SETTINGS,
      RESOLVED_REQUEST_ID,
      TimeoutGuard,
      RESOLVED_TIMEOUT,
      TIMERS,
      ANSWER_NOW,
      RESOLVED_ERRORS,
    ],
  };
}

function asyncProviders({
  useFactory,
  useClass,
  useExisting,
  inject = [],
}: AgentSecurityAsyncOptions): Provider[] {
  if (useFactory) {
    // The parameters are whatever `inject` names.
    const read = async (...parts: unknown[]): Promise<unknown> =>
      readFactoryOptions(await useFactory(...parts));
    return [{ provide: OPTIONS, useFactory: read, inject }];
  }
  const factory = useClass ?? useExisting;
  if (factory === undefined) {
    throw new AgentSecurityConfigError(
      'ASEC_OPTIONS_MISSING',
      'forRootAsync()',
      'says nowhere where the options come from',
      'Give useFactory, useClass or useExisting.',
    );
  }
  const options: Provider = {
    provide: OPTIONS,
    useFactory: async (source: AgentSecurityOptionsFactory) =>
      readFactoryOptions(await source.createAgentSecurityOptions()),
    inject: [factory],
  };
  return useClass ? [options, useClass] : [options];
}
