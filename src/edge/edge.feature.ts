/* The providers of the edge. It has no option of its own: it enforces those of the features. */
import type { Provider } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import type { ResolvedAuth } from '../auth/auth.options.js';
import type { ResolvedBody } from '../body/body.options.js';
import type { ResolvedTrustProxy } from '../client-address/client-address.options.js';
import { MAY_CARRY_AGENT, type MayCarryAgent } from '../common/agent.js';
import { CLOCK, type Clock } from '../common/clock.js';
import { provideOptions } from '../common/feature.js';
import { PROBE } from '../common/probe.js';
import { RESOLVED_CORS, type ResolvedCors } from '../cors/cors.options.js';
import { CrossSiteRoutes } from '../cors/cross-site-routes.js';
import type { ResolvedErrors } from '../errors/errors.options.js';
import type { ResolvedHosts } from '../host/host.options.js';
import { AppRoutes } from '../http/app-routes.js';
import { ANSWER_NOW } from '../http/unread-body.js';
import type { LimitProbe } from '../limiter/limit-probe.js';
import { DENIAL_KEEPER } from '../limiter/quota-request.js';
import type { ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import type { ResolvedRequestId } from '../request-id/request-id.options.js';
import type { ResolvedWebSockets } from '../websockets/websockets.feature.js';
import { QUOTA_ENGINE, type QuotaEngine } from '../limiter/quota-engine.js';
import { createAnswerNow } from './answer.js';
import { DenialCache } from './denial-cache.js';
import { FloodCheck, HostCheck, OriginCheck } from './edge-checks.js';
import { EdgeInstaller } from './edge-installer.js';
import { PollingStage, UrlCredentialStage } from './edge-stages.js';
import { Edge } from './edge.js';
import { ExemptPathsStartup } from './mount-exempt-paths.js';
import { REPEATED_FIELDS, REPEATED_FIELDS_CHECK, REQUEST_HEAD, REQUEST_HEAD_CHECK } from './request-head.js';
import { EDGE_STAGES, type EdgeStage } from '../common/edge-stage.js';

/** The features' options that the edge enforces itself. */
export interface EdgeOptions {
  readonly auth: ResolvedAuth | false;
  readonly requestId: ResolvedRequestId | false;
  readonly trustProxy: ResolvedTrustProxy | undefined;
  readonly hosts: ResolvedHosts | false;
  readonly cors: ResolvedCors | false;
  readonly rateLimit: ResolvedRateLimit | false;
  readonly body: ResolvedBody | false;
  readonly webSockets: ResolvedWebSockets;
  readonly errors: ResolvedErrors | false;
}

export const EDGE_PROVIDERS: readonly Provider[] = [
  { provide: REQUEST_HEAD, useValue: REQUEST_HEAD_CHECK },
  { provide: REPEATED_FIELDS, useValue: REPEATED_FIELDS_CHECK },
  HostCheck,
  {
    provide: OriginCheck,
    useFactory: (cors: ResolvedCors | false, stages: readonly EdgeStage[], routes: CrossSiteRoutes) =>
      cors === false ? undefined : new OriginCheck(cors, stages, routes),
    inject: [RESOLVED_CORS, EDGE_STAGES, CrossSiteRoutes],
  },
  provideOptions(
    FloodCheck,
    ({ rateLimit }: EdgeOptions, clock: Clock, engine: QuotaEngine, probe?: LimitProbe) =>
      rateLimit && rateLimit.flood
        ? new FloodCheck(rateLimit, rateLimit.flood, clock, engine, probe)
        : undefined,
    CLOCK,
    QUOTA_ENGINE,
    PROBE,
  ),
  provideOptions(
    DenialCache,
    (
      { rateLimit }: EdgeOptions,
      mayCarryAgent: MayCarryAgent,
      clock: Clock,
      config: ApplicationConfig,
      modules: ModulesContainer,
    ) => (rateLimit ? new DenialCache(rateLimit, mayCarryAgent, clock, config, modules) : undefined),
    MAY_CARRY_AGENT,
    CLOCK,
    ApplicationConfig,
    ModulesContainer,
  ),
  { provide: DENIAL_KEEPER, useExisting: DenialCache },
  provideOptions(UrlCredentialStage, ({ auth, errors }: EdgeOptions) =>
    auth ? new UrlCredentialStage(auth.urlParameters, errors) : undefined,
  ),
  PollingStage,
  provideOptions(ANSWER_NOW, ({ errors }: EdgeOptions) => createAnswerNow(errors)),
  Edge,
  EdgeInstaller,
  {
    provide: AppRoutes,
    useFactory: (host: HttpAdapterHost) => new AppRoutes(host),
    inject: [HttpAdapterHost],
  },
  ExemptPathsStartup,
];
