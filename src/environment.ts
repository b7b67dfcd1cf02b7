/* The environment variables of the options, read through the app's ConfigService. The module itself loads no file. */
import type { Provider } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { AgentSecurityConfigError } from './common/config-error.js';
import { isRecord, type ReadEnvironment } from './common/read-options.js';

/** A `ReadEnvironment`. Who injects it waits until the app's ConfigModule has loaded everything. */
export const ENVIRONMENT = Symbol('agent-security:environment');

export const ENVIRONMENT_PROVIDER: Provider = {
  provide: ENVIRONMENT,
  useFactory: async (modules: ModulesContainer): Promise<ReadEnvironment> => {
    const services = await loadConfigServices([...modules.values()]);
    if (services.length === 0) return name => process.env[name];
    return name => {
      const values = services.map(service => service.get(name));
      return readVariable(
        name,
        values.find(value => value !== undefined),
      );
    };
  },
  inject: [ModulesContainer],
};

/** What is used of `@nestjs/config`, which the app need not have. */
interface ConfigService {
  get(name: string): unknown;
}
type Modules = ModulesContainer extends Map<string, infer Module> ? readonly Module[] : never;

/**
 * The ConfigService of each copy of `@nestjs/config` in the app, found by its tokens, so that the version does not matter.
 * Nest creates the providers of all modules at the same time, and injecting ConfigService does not wait for what
 * `ConfigModule.forRoot({ load, validate })` adds to it: a function of `load` may still be waiting for a secret.
 */
async function loadConfigServices(modules: Modules): Promise<ConfigService[]> {
  const services = new Set<ConfigService>();
  for (const { metatype: host, providers } of modules) {
    // The class, as the token that a test overrides.
    const service = [...providers].find(
      ([token]) => typeof token === 'symbol' && token.description === 'CONFIG_SERVICE',
    )?.[1].metatype;
    if (!service || !providers.has('CONFIGURATION_TOKEN')) continue;
    for (const module of modules.filter(({ exports }) => exports.has(host))) {
      const tokens = [...module.providers.keys()].filter(
        token => token !== ModuleRef && token !== module.metatype,
      );
      class Loaded {}
      Reflect.defineMetadata('design:paramtypes', tokens, Loaded);
      Reflect.defineMetadata(
        'self:paramtypes',
        tokens.map((param, index) => ({ index, param })),
        Loaded,
      );
      await (module.getProviderByKey(ModuleRef).instance as ModuleRef).create(Loaded);
      services.add(module.getProviderByKey(service).instance as ConfigService);
    }
  }
  return [...services];
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
