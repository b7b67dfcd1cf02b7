import {
  type CanActivate,
  type DynamicModule,
  Global,
  type INestApplicationContext,
  Inject,
  type InjectionToken,
  Module,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OptionalFactoryDependency,
  type Provider,
  type Type,
} from '@nestjs/common';
import { ApplicationConfig, ModuleRef, ModulesContainer } from '@nestjs/core';
import type { AgentSecurityOptions } from './agent-security.options.js';
import type { CheckAppOptions } from './check/check-app.options.js';
import { READ_REPORT, type ReadReport } from './check/check.options.js';
import type { CheckReport } from './check/finding.js';
import { AgentSecurityConfigError } from './common/config-error.js';
import type { Closable } from './common/feature.js';
import {
  readArgument,
  readGiven,
  type ReadEnvironment,
  readObject,
  receivedError,
} from './common/read-options.js';
import { EdgeInstaller } from './edge/edge-installer.js';
import { ENVIRONMENT } from './environment.js';
import { bindGatewayGuards } from './http/gateway-guards.js';
import { isMessageGuard } from './http/message.guard.js';
import { ACTIVE_GUARDS, CLOSABLES, EXPORTS, OPTIONS, PROVIDERS } from './providers.js';
import { readFactoryOptions } from './resolve-options.js';

/**
 * The class of `useClass` and `useExisting`.
 * @example
 * class SecurityConfig implements AgentSecurityOptionsFactory {
 *   createAgentSecurityOptions(): AgentSecurityOptions { return { hosts: ['api.example.com'] }; }
 * }
 */
export interface AgentSecurityOptionsFactory {
  createAgentSecurityOptions(): Promise<AgentSecurityOptions> | AgentSecurityOptions;
}

/**
 * The second argument of `forRoot()`.
 * @example
 * AgentSecurityModule.forRoot({}, { providers: [{ provide: RateLimitGuard, useClass: MyRateLimitGuard }] })
 */
export interface AgentSecurityExtras {
  /**
   * Providers that replace the module's, such as `{ provide: RateLimitGuard, useClass: MyRateLimitGuard }`.
   * @default []
   */
  providers?: Provider[];
}

/**
 * The argument of `forRootAsync()`: `useFactory` with `inject`, `useClass` or `useExisting`.
 * @example
 * AgentSecurityModule.forRootAsync({
 *   imports: [ConfigModule],
 *   inject: [ConfigService],
 *   useFactory: (config: ConfigService) => ({ hosts: [config.getOrThrow('PUBLIC_HOST')] }),
 * })
 */
export interface AgentSecurityAsyncOptions extends Pick<ModuleMetadata, 'imports'>, AgentSecurityExtras {
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  // The parameters are the providers of `inject`.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  useFactory?: (...args: any[]) => Promise<AgentSecurityOptions> | AgentSecurityOptions;
  useClass?: Type<AgentSecurityOptionsFactory>;
  useExisting?: InjectionToken<AgentSecurityOptionsFactory>;
}

const ASYNC_KEYS = ['imports', 'inject', 'useFactory', 'useClass', 'useExisting', 'providers'] as const;

/** The apps that have this module: each has one ApplicationConfig. */
const CONFIGURED = new WeakSet<ApplicationConfig>();

/** Here and not in a feature: what inspects an app imports all of them. */
const REPORT_PROVIDER: Provider = {
  provide: READ_REPORT,
  useFactory:
    (app: ModuleRef): ReadReport =>
    async () =>
      (await import('./inspect-app.js')).inspectApp(app, {}),
  inject: [ModuleRef],
};

/**
 * Protects every request and response of the app. The class alone in `imports` is `forRoot()`.
 * @example
 * @Module({ imports: [AgentSecurityModule.forRoot()] })
 * export class AppModule {}
 */
@Global()
@Module({
  providers: [{ provide: OPTIONS, useValue: {} }, ...PROVIDERS, REPORT_PROVIDER],
  exports: [...EXPORTS],
})
export class AgentSecurityModule implements OnApplicationShutdown {
  /**
   * Configures the module with constant options.
   * @throws AgentSecurityConfigError at start-up, for an invalid option or environment variable
   */
  static forRoot(...given: [options?: AgentSecurityOptions, extras?: AgentSecurityExtras]): DynamicModule {
    const options = readArgument<AgentSecurityOptions>('the options of forRoot()', given, {});
    const extras = readArgument<AgentSecurityExtras>('the extras of forRoot()', given.slice(1), {});
    readObject('the extras of forRoot()', extras, ['providers']);
    return define([{ provide: OPTIONS, useValue: options }], extras);
  }

  /** Configures the module with options of other providers: `useFactory`, `useClass` or `useExisting`. */
  static forRootAsync(async: AgentSecurityAsyncOptions): DynamicModule {
    if (typeof async === 'function') {
      const remedy = 'Write forRootAsync({ useFactory: () => options }).';
      throw receivedError('ASEC_OPTION_TYPE', 'forRootAsync()', 'must be an object', remedy, async);
    }
    readObject('forRootAsync()', readGiven('forRootAsync()', async), ASYNC_KEYS);
    return define(asyncProviders(async), async, async.imports);
  }

  /**
   * Reports risky settings of an app that has this module, as `npx nestjs-agent-security check` does: after `app.init()`, without listening.
   * See docs/check.md.
   * @example
   * const { findings } = await AgentSecurityModule.check(app, { deploy: true });
   */
  static async check(app: INestApplicationContext, options: CheckAppOptions = {}): Promise<CheckReport> {
    // Loaded on demand: an app in production runs none of it.
    const { inspectApp } = await import('./inspect-app.js');
    return inspectApp(app, options);
  }

  // Global guards of ApplicationConfig run before the app's own; an APP_GUARD would run after them.
  constructor(
    config: ApplicationConfig,
    modules: ModulesContainer,
    @Inject(ACTIVE_GUARDS) guards: readonly CanActivate[],
    installer: EdgeInstaller,
    @Inject(CLOSABLES) private readonly closables: readonly Closable[],
  ) {
    // Thrown here, since an error during the installation in the adapter would be lost with Test.createTestingModule().
    if (CONFIGURED.has(config)) {
      throw new AgentSecurityConfigError(
        'ASEC_MODULE_TWICE',
        'AgentSecurityModule',
        'is configured twice in this app',
        'Import it once, in the root module: its guards and services are global, and other modules need no import.',
      );
    }
    CONFIGURED.add(config);
    config.useGlobalGuards(...guards);
    bindGatewayGuards(modules, guards.filter(isMessageGuard));
    installer.install();
  }

  async onApplicationShutdown(): Promise<void> {
    for (const closable of this.closables) await closable.close();
  }
}

function define(
  options: Provider[],
  { providers = [] }: AgentSecurityExtras,
  imports: ModuleMetadata['imports'] = [],
): DynamicModule {
  return {
    module: AgentSecurityModule,
    imports,
    // After those of the class, which they replace.
    providers: [...options, ...providers],
  };
}

function asyncProviders(async: AgentSecurityAsyncOptions): Provider[] {
  const provideBy = (
    create: NonNullable<typeof async.useFactory>,
    inject: typeof async.inject,
  ): Provider => ({
    provide: OPTIONS,
    useFactory: async (_env: ReadEnvironment, ...injected: unknown[]) =>
      readFactoryOptions(await create(...injected)),
    inject: [ENVIRONMENT, ...(inject ?? [])],
  });
  if (async.useFactory) return [provideBy(async.useFactory, async.inject)];
  const factory = async.useClass ?? async.useExisting;
  if (factory === undefined) {
    throw new AgentSecurityConfigError(
      'ASEC_OPTIONS_MISSING',
      'forRootAsync()',
      'has no source of the options',
      'Give useFactory, useClass or useExisting.',
    );
  }
  const options = provideBy(
    (source: AgentSecurityOptionsFactory) => source.createAgentSecurityOptions(),
    [factory],
  );
  return async.useClass ? [options, async.useClass] : [options];
}
