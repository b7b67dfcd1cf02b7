/* The interface of a feature. The module loops over the features of `features.ts` and knows none of them by name. */
import type { InjectionToken, Provider } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { ReadEnvironment } from './read-options.js';
import type { Risk } from './risk.js';

/** Holds all resolved options, one member per feature's key. */
export const RESOLVED_OPTIONS = Symbol('agent-security:resolved-options');

/** The resolved options of the features that stand earlier in `FEATURES`. */
type EarlierOptions = Readonly<Record<string, unknown>>;

export interface Feature<K extends string, R> {
  /** The option's name. */
  readonly key: K;
  /** Validates the option, once, at start-up. @throws AgentSecurityConfigError for an invalid option */
  resolve(input: unknown, env: ReadEnvironment, earlier: EarlierOptions): R;
  /** Validates what needs a library that is loaded on demand. @throws AgentSecurityConfigError for an invalid option */
  verify?(resolved: R): Promise<void>;
  /** Describes the resolved option for the start-up summary, without any secret. Called once, when the app has started. */
  summarize?(resolved: R, app: SummarizedApp): FeatureSummary | undefined;
  readonly providers?: readonly Provider[];
  /** The providers that the app can inject. */
  readonly exports?: readonly InjectionToken[];
}

/** What a feature may describe beside its own option. */
interface SummarizedApp {
  /** The resolved options of all features. */
  readonly options: EarlierOptions;
  /** Where the decorators of routes are found (`eachHandler()`). */
  readonly modules: ModulesContainer;
}

/** The part of a feature in the start-up summary. */
export interface FeatureSummary {
  /** One line: `hosts: api.example.com`. */
  readonly text?: string;
  /** What weakens the protection. `check` reports it too, as a row of `src/check/checks/summary-checks.ts` says. */
  readonly warnings?: readonly Risk[];
}

export const SUMMARIES = Symbol('agent-security:summaries');

/** A list for the summary, of a bounded length. */
export function summarizeList(items: Iterable<string>, none = 'none'): string {
  const all = [...items];
  const rest = all.length - MAX_SUMMARIZED;
  const shown = all.slice(0, MAX_SUMMARIZED).join(', ');
  return rest > 0 ? `${shown} and ${rest} more` : shown || none;
}

const MAX_SUMMARIZED = 8;

/** A global guard. It comes from the container, so that tests and users can override it. */
export interface GuardEntry<Options> {
  readonly token: InjectionToken;
  /** @default always on */
  isOn?(options: Options): boolean;
  /** Whether the app may have no such guard. Any other guard must exist: without it, its routes would be open. */
  readonly isOptional?: boolean;
  /** Whether the guard also runs for messages of gateways and microservices. */
  readonly guardsMessages?: boolean;
}

/** A provider that is closed after the app has closed its server, in the order of `CLOSED_IN_ORDER`. */
export interface Closable {
  close(): void | Promise<void>;
}

/** Provides what `create` makes of the resolved options, and of the providers of `inject`. */
export const provideOptions = <Options, More extends unknown[], T>(
  provide: InjectionToken,
  create: (options: Options, ...more: More) => T,
  ...inject: InjectionToken[]
): Provider => ({ provide, useFactory: create, inject: [RESOLVED_OPTIONS, ...inject] });
