/* The environment variables of the options, read through the app's ConfigService. The module itself loads no file. */
import type { Provider } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { AgentSecurityConfigError } from './common/config-error.js';
import { isRecord, type ReadEnvironment } from './common/read-options.js';

/** A `ReadEnvironment`. Who injects it waits until the app's ConfigModule has loaded everything. */
export const ENVIRONMENT = Symbol('agent-security:environment');

export const ENVIRONMENT_PROVIDER: Provider = {
  provide: ENVIRONMENT,
  useFactory: async (config: ConfigService, modules: ModulesContainer): Promise<ReadEnvironment> => {
    await waitForConfiguration(modules);
    return name => readVariable(name, config.get<unknown>(name));
  },
  inject: [ConfigService, ModulesContainer],
};

/**
 * Nest creates the providers of all modules at the same time, and injecting ConfigService does not wait for what
 * `ConfigModule.forRoot({ load, validate })` adds to it: a function of `load` may still be waiting for a secret.
 */
async function waitForConfiguration(modules: ModulesContainer): Promise<void> {
  for (const module of [...modules.values()].filter(({ metatype }) => metatype === ConfigModule)) {
    const tokens = [...module.providers.keys()].filter(
      token => token !== ModuleRef && token !== ConfigModule,
    );
    class Loaded {}
    Reflect.defineMetadata('design:paramtypes', tokens, Loaded);
    Reflect.defineMetadata(
      'self:paramtypes',
      tokens.map((param, index) => ({ index, param })),
      Loaded,
    );
    await (module.getProviderByKey(ModuleRef).instance as ModuleRef).create(Loaded);
  }
}

/** As text, also where the app's `validate` or `load` made a number, a list or an object of it. */
function readVariable(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null || typeof value === 'string') return value ?? undefined;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value) && value.every(item => typeof item === 'string')) return value.join(',');
  if (Array.isArray(value) || (isRecord(value) && Object.getPrototypeOf(value) === Object.prototype))
    return JSON.stringify(value);
  if (value instanceof URL) return value.href;
  // The value is not shown, since it may be a secret.
  throw new AgentSecurityConfigError(
    'ASEC_OPTION_TYPE',
    name,
    'is not a text, a number, a boolean or a list in the configuration of the app',
    'Look at what load or validate of ConfigModule.forRoot() makes of it.',
  );
}
