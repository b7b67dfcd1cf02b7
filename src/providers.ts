/* The providers of the module: those of all features, and the lists of features.ts as injection tokens. */
import type { CanActivate, InjectionToken, Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { AgentSecurityOptions } from './agent-security.options.js';
import { ENVIRONMENT, ENVIRONMENT_PROVIDER } from './environment.js';
import { type ResolvedOptions, resolveOptions, verifyOptions } from './resolve-options.js';
import { CLOCK, systemClock, systemTimers, TIMERS } from './common/clock.js';
import { AgentSecurityConfigError } from './common/config-error.js';
import { ROUTE_DESCRIBERS, type RouteDescriber } from './common/describe-route.js';
import {
  type Closable,
  type Feature,
  type GuardEntry,
  RESOLVED_OPTIONS,
  SUMMARIES,
} from './common/feature.js';
import type { ReadEnvironment } from './common/read-options.js';
import { RESOLVED_ERRORS, type ResolvedErrors } from './errors/errors.options.js';
import {
  CHECKS,
  CLOSED_IN_ORDER,
  FEATURES,
  GUARDS,
  OTHER_PROVIDERS,
  STAGES,
  OTHER_DESCRIBERS,
} from './features.js';
import { ANSWER_NOW } from './http/unread-body.js';
import { MessageGuard } from './http/message.guard.js';
import { EDGE_CHECKS, EDGE_STAGES } from './common/edge-stage.js';

/** The options of the app, before validation. */
export const OPTIONS = Symbol('agent-security:options');
/** The enabled global guards, in the order in which they run. */
export const ACTIVE_GUARDS = Symbol('agent-security:active-guards');
/** The providers that are closed with the app, in order. */
export const CLOSABLES = Symbol('agent-security:closables');

const features: readonly Feature<string, unknown>[] = FEATURES;
const guards: readonly GuardEntry<ResolvedOptions>[] = GUARDS;

/** Provides a list of other providers, without those of disabled features, which are `undefined` or `false`. */
const provideList = (provide: symbol, tokens: readonly InjectionToken[]): Provider => ({
  provide,
  useFactory: (...found: unknown[]) => found.filter(Boolean),
  inject: [...tokens],
});

export const PROVIDERS: readonly Provider[] = [
  ENVIRONMENT_PROVIDER,
  {
    provide: RESOLVED_OPTIONS,
    useFactory: (options: AgentSecurityOptions, env: ReadEnvironment) =>
      verifyOptions(resolveOptions(options, env)),
    inject: [OPTIONS, ENVIRONMENT],
  },
  { provide: CLOCK, useValue: systemClock },
  { provide: TIMERS, useValue: systemTimers },
  ...features.flatMap(({ providers = [] }) => providers),
  ...OTHER_PROVIDERS,
  {
    provide: SUMMARIES,
    useFactory: (options: ResolvedOptions, modules: ModulesContainer) => () =>
      features.flatMap(
        ({ key, summarize }) =>
          summarize?.(options[key as keyof ResolvedOptions], { options, modules }) ?? [],
      ),
    inject: [RESOLVED_OPTIONS, ModulesContainer],
  },
  provideList(EDGE_CHECKS, CHECKS),
  provideList(EDGE_STAGES, STAGES),
  {
    provide: CLOSABLES,
    useFactory: (...found: (Partial<Closable> | undefined)[]) =>
      found.filter(each => typeof each?.close === 'function'),
    inject: [...CLOSED_IN_ORDER],
  },
  {
    provide: ROUTE_DESCRIBERS,
    useFactory: (options: ResolvedOptions, ...found: (Partial<RouteDescriber> | undefined)[]) => [
      ...new Set(
        found.filter(
          (guard, index) =>
            typeof guard?.describeRoute === 'function' && guards[index]?.isOn?.(options) !== false,
        ),
      ),
    ],
    inject: [RESOLVED_OPTIONS, ...guards.map(({ token }) => token), ...OTHER_DESCRIBERS],
  },
  {
    provide: ACTIVE_GUARDS,
    useFactory: (
      options: ResolvedOptions,
      { typeBase }: ResolvedErrors,
      ...found: (CanActivate | undefined)[]
    ): readonly CanActivate[] =>
      guards.flatMap(({ token, isOn, isOptional, guardsMessages }, index) => {
        const guard = found[index];
        if (isOn?.(options) === false || (guard === undefined && isOptional)) return [];
        if (typeof guard?.canActivate !== 'function') throw noGuardError(token);
        return guardsMessages === true ? new MessageGuard(guard, typeBase) : guard;
      }),
    inject: [RESOLVED_OPTIONS, RESOLVED_ERRORS, ...guards.map(({ token }) => token)],
  },
];

/** Nest ignores a guard without `canActivate()`, so its routes would be open. */
const noGuardError = (token: InjectionToken): AgentSecurityConfigError =>
  new AgentSecurityConfigError(
    'ASEC_OPTION_TYPE',
    typeof token === 'function' ? token.name : String(token),
    'is provided without a canActivate() function, so nothing would be checked',
    'Provide a guard, or switch its feature off in the options.',
  );

export const EXPORTS: readonly InjectionToken[] = [
  TIMERS,
  ANSWER_NOW,
  ...features.flatMap(feature => feature.exports ?? []),
];
