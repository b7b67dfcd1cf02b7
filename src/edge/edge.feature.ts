/* The providers of the edge. It has no option of its own: it enforces those of the features. */
import { Logger, type Provider } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { ResolvedAuth } from '../auth/auth.options.js';
import { Gateways, HandshakeAuthenticator } from '../auth/gateways.js';
import { MAY_CARRY_AGENT, type MayCarryAgent } from '../common/agent.js';
import { CLOCK, type Clock } from '../common/clock.js';
import {
  EDGE_CHECKS,
  type EdgeCheck,
  EDGE_STAGES,
  type EdgeStage,
  provideOptions,
  RESOLVED_OPTIONS,
} from '../common/feature.js';
import { RESOLVED_CORS } from '../cors/cors.feature.js';
import type { ResolvedCors } from '../cors/cors.options.js';
import { UNGUARDED_LIMITER, type UnguardedLimiter } from '../common/unguarded-limiter.js';
import { HEADER_SETTINGS, type HeaderSettings } from '../headers/header-settings.js';
import { ANSWER_NOW, type AnswerNow } from '../http/unread-body.js';
import { DENIAL_KEEPER } from '../limiter/quota-request.js';
import { createAnswerNow } from './answer.js';
import { DenialCache } from './denial-cache.js';
import { EdgeInstaller } from './edge-installer.js';
import { Edge } from './edge.js';
import { FloodCheck } from './flood-check.js';
import { HostCheck } from './host-check.js';
import { OriginCheck } from './origin-check.js';
import { PollingStage } from './polling-stage.js';
import { REPEATED_FIELDS, REPEATED_FIELDS_CHECK, REQUEST_HEAD, REQUEST_HEAD_CHECK } from './request-head.js';
import { UrlCredentialStage } from './url-credential-stage.js';
import type { ResolvedBody } from '../body/body.options.js';
import type { TrustFunction } from '../client-address/client-address.options.js';
import type { ResolvedErrors } from '../errors/errors.options.js';
import type { ResolvedHosts } from '../host/host.options.js';
import type { ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import type { ResolvedRequestId } from '../request-id/request-id.options.js';
import type { ResolvedWebSockets } from '../websockets/websockets.feature.js';

const createLog = (): Logger => new Logger('AgentSecurity');

const CHECK_PROVIDERS: readonly Provider[] = [
  { provide: REQUEST_HEAD, useValue: REQUEST_HEAD_CHECK },
  { provide: REPEATED_FIELDS, useValue: REPEATED_FIELDS_CHECK },
  {
    provide: HostCheck,
    useFactory: ({ hosts }: EdgeOptions, clock: Clock) => new HostCheck(hosts, clock, createLog()),
    inject: [RESOLVED_OPTIONS, CLOCK],
  },
  {
    provide: OriginCheck,
    useFactory: (cors: ResolvedCors | false, stages: readonly EdgeStage[]): OriginCheck | undefined =>
      cors === false ? undefined : new OriginCheck(cors, stages),
    inject: [RESOLVED_CORS, EDGE_STAGES],
  },
  {
    provide: FloodCheck,
    useFactory: ({ rateLimit }: EdgeOptions, clock: Clock): FloodCheck | undefined =>
      rateLimit && rateLimit.flood ? new FloodCheck(rateLimit, rateLimit.flood, clock) : undefined,
    inject: [RESOLVED_OPTIONS, CLOCK],
  },
  {
    provide: DenialCache,
    useFactory: (
      { rateLimit }: EdgeOptions,
      mayCarryAgent: MayCarryAgent,
      clock: Clock,
      config: ApplicationConfig,
      modules: ModulesContainer,
    ): DenialCache | undefined =>
      rateLimit ? new DenialCache(rateLimit, mayCarryAgent, clock, config, modules) : undefined,
    inject: [RESOLVED_OPTIONS, MAY_CARRY_AGENT, CLOCK, ApplicationConfig, ModulesContainer],
  },
  { provide: DENIAL_KEEPER, useExisting: DenialCache },
];

const STAGE_PROVIDERS: readonly Provider[] = [
  provideOptions(
    UrlCredentialStage,
    ({ auth, errors }: EdgeOptions & { auth: ResolvedAuth | false }): UrlCredentialStage | undefined =>
      auth ? new UrlCredentialStage(auth.urlParameters, errors) : undefined,
  ),
  {
    provide: PollingStage,
    useFactory: (
      { webSockets, errors }: EdgeOptions,
      gateways: Gateways,
      handshakes: HandshakeAuthenticator | undefined,
    ) => new PollingStage(gateways, webSockets, handshakes, errors),
    inject: [RESOLVED_OPTIONS, Gateways, HandshakeAuthenticator],
  },
];

export const EDGE_PROVIDERS: readonly Provider[] = [
  ...CHECK_PROVIDERS,
  ...STAGE_PROVIDERS,
  provideOptions(ANSWER_NOW, ({ errors }: EdgeOptions): AnswerNow => createAnswerNow(errors)),
  {
    provide: Edge,
    useFactory: (
      options: EdgeOptions,
      cors: ResolvedCors | false,
      settings: HeaderSettings,
      checks: readonly EdgeCheck[],
      stages: readonly EdgeStage[],
      answerNow: AnswerNow,
      handshakes: HandshakeAuthenticator | undefined,
      limiter: UnguardedLimiter,
    ) =>
      new Edge({
        options: { ...options, cors },
        settings,
        log: createLog(),
        checks,
        stages,
        answerNow,
        handshakes,
        chargeFailed: options.rateLimit ? state => limiter.chargeFailed?.(state) : undefined,
      }),
    inject: [
      RESOLVED_OPTIONS,
      RESOLVED_CORS,
      HEADER_SETTINGS,
      EDGE_CHECKS,
      EDGE_STAGES,
      ANSWER_NOW,
      HandshakeAuthenticator,
      UNGUARDED_LIMITER,
    ],
  },
  EdgeInstaller,
];

/** The features' options that the edge enforces itself. */
export interface EdgeOptions {
  readonly requestId: ResolvedRequestId | false;
  readonly trustProxy: TrustFunction | undefined;
  readonly hosts: ResolvedHosts | false;
  readonly cors: ResolvedCors | false;
  readonly rateLimit: ResolvedRateLimit | false;
  readonly body: ResolvedBody | false;
  readonly webSockets: ResolvedWebSockets;
  readonly errors: ResolvedErrors | false;
}
