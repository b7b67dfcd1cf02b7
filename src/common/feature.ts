/* The interface of a feature. The module loops over the features of `features.ts` and knows none of them by name. */
import type { InjectionToken, Provider } from '@nestjs/common';
import type { ReadEnvironment } from './read-options.js';

/** Holds all resolved options, one member per feature's key. */
export const RESOLVED_OPTIONS = Symbol('agent-security:resolved-options');

/** The resolved options of the features that stand earlier in `FEATURES`. */
export type EarlierOptions = Readonly<Record<string, unknown>>;

export interface Feature<K extends string, R> {
  /** The option's name. */
  readonly key: K;
  /** Validates the option, once, at start-up. @throws AgentSecurityConfigError for an invalid option */
  resolve(input: unknown, env: ReadEnvironment, earlier: EarlierOptions): R;
  readonly providers?: readonly Provider[];
  /** The providers that the app can inject. */
  readonly exports?: readonly InjectionToken[];
}

/** A global guard. It comes from the container, so that tests and users can override it. */
export interface GuardEntry<Options> {
  readonly token: InjectionToken;
  /** @default always on */
  isOn?(options: Options): boolean;
  /** Whether the guard also runs for messages of gateways and microservices. */
  readonly guardsMessages?: boolean;
}

/** A provider that is closed after the app has closed its server, in the order of `CLOSED_IN_ORDER`. */
export interface Closable {
  close(): void | Promise<void>;
}

/** A provider of one part of the resolved options. */
export const provideOptions = <Options, T>(
  provide: InjectionToken,
  read: (options: Options) => T,
): Provider => ({
  provide,
  useFactory: read,
  inject: [RESOLVED_OPTIONS],
});
