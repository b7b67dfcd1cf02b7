/* Where settings come from: options, then the app's ConfigService, then process.env, then the defaults. No file is loaded unasked. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Module } from '@nestjs/common';
import { ConfigModule, type ConfigModuleOptions, ConfigService } from '@nestjs/config';
import { AgentSecurityModule, type AgentSecurityOptions } from '../../src/index.js';
import { PLATFORMS, PLATFORMS_AND_MODES, type Platform } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

const NAMES = [
  'ALLOWED_HOSTS',
  'RATE_LIMIT',
  'CORS_ORIGINS',
  'CORS_MAX_AGE',
  'CORS_CREDENTIALS',
  'TRUST_PROXY',
];

@Controller()
class Routes {
  @Get()
  read(): string {
    return 'read';
  }
}

const before = process.cwd();
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-security-'));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
  for (const name of NAMES) delete process.env[name];
});

const write = (file: string, text: string): void => writeFileSync(join(folder, file), text);

/** Imported behind the security module, in a module of its own and not global, as in an app that has grown. */
function configuration(options?: ConfigModuleOptions): AppParts['imports'] {
  @Module({ imports: [ConfigModule.forRoot(options)] })
  class Feature {}
  return [Feature];
}

/** Of `@nestjs/config`, as a second version of it in the same app has other classes and tokens. */
function otherCopy(): typeof import('@nestjs/config') {
  let copy: typeof import('@nestjs/config') | undefined;
  jest.isolateModules(() => {
    copy = jest.requireActual('@nestjs/config');
  });
  return copy!;
}

/** The name that the app serves, of some. */
async function servedHost(app: RunningApp): Promise<string | undefined> {
  for (const host of [
    'localhost',
    'option.test',
    'config.test',
    'file.test',
    'process.test',
    'production.test',
  ]) {
    if ((await app.send('/', { headers: { Host: host } })).status === 200) return host;
  }
  return undefined;
}

const startWith = (platform: Platform, imports: AppParts['imports'], options: AgentSecurityOptions = {}) =>
  start(platform, { controllers: [Routes], imports: imports ?? [], options });

describe.each(PLATFORMS_AND_MODES)('%s', (_title, platform) => {
  it('does not load .env in an app without ConfigModule', async () => {
    write('.env', 'ALLOWED_HOSTS=file.test\n');
    const app = await startWith(platform, []);
    expect(await servedHost(app)).toBe('localhost');
    expect(process.env['ALLOWED_HOSTS']).toBeUndefined();
  });

  it('does not load .env where the app ignores it', async () => {
    write('.env', 'ALLOWED_HOSTS=file.test\n');
    const app = await startWith(platform, configuration({ ignoreEnvFile: true }));
    expect(await servedHost(app)).toBe('localhost');
    expect(process.env['ALLOWED_HOSTS']).toBeUndefined();
  });

  it('reads the files that the app names, and no other', async () => {
    write('.env', 'ALLOWED_HOSTS=file.test\nCORS_MAX_AGE=never\n');
    write('.env.production', 'ALLOWED_HOSTS=production.test\n');
    const app = await startWith(platform, configuration({ envFilePath: ['.env.production'] }));
    expect(await servedHost(app)).toBe('production.test');
    expect(process.env['CORS_MAX_AGE']).toBeUndefined();
  });

  it('an option wins over the ConfigService, which wins over process.env, which wins over the default', async () => {
    const load = [() => ({ ALLOWED_HOSTS: 'config.test' })];
    process.env['ALLOWED_HOSTS'] = 'process.test';
    write('.env', 'ALLOWED_HOSTS=file.test\n');
    const hosts = ['option.test'];
    expect(await servedHost(await startWith(platform, configuration({ load }), { hosts }))).toBe(
      'option.test',
    );
    expect(await servedHost(await startWith(platform, configuration({ load })))).toBe('config.test');
    expect(await servedHost(await startWith(platform, configuration()))).toBe('process.test');
    delete process.env['ALLOWED_HOSTS'];
    expect(await servedHost(await startWith(platform, configuration()))).toBe('file.test');
    delete process.env['ALLOWED_HOSTS'];
    expect(await servedHost(await startWith(platform, []))).toBe('localhost');
  });

  it('process.env counts without ConfigModule', async () => {
    process.env['ALLOWED_HOSTS'] = 'process.test';
    expect(await servedHost(await startWith(platform, []))).toBe('process.test');
  });

  it('waits for what the ConfigModule loads asynchronously', async () => {
    const load = [
      async () => {
        for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
        return { ALLOWED_HOSTS: 'config.test' };
      },
    ];
    expect(await servedHost(await startWith(platform, configuration({ load })))).toBe('config.test');
  });

  it('a factory of forRootAsync() finds it in ConfigService too', async () => {
    const load = [
      async () => {
        for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
        return { name: 'config.test' };
      },
    ];
    const security = AgentSecurityModule.forRootAsync({
      imports: [ConfigModule],
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({ hosts: [config.getOrThrow<string>('name')] }),
    });
    const imports = configuration({ load }) ?? [];
    expect(await servedHost(await start(platform, { controllers: [Routes], imports, security }))).toBe(
      'config.test',
    );
  });
});

describe.each(PLATFORMS)('%s', (_title, platform) => {
  it('a global ConfigModule counts', async () => {
    const imports = [
      ConfigModule.forRoot({ isGlobal: true, cache: true, load: [() => ({ ALLOWED_HOSTS: 'config.test' })] }),
    ];
    expect(await servedHost(await startWith(platform, imports))).toBe('config.test');
  });

  it('a ConfigModule of another copy of @nestjs/config counts', async () => {
    const load = [() => Promise.resolve({ ALLOWED_HOSTS: 'config.test' })];
    const imports = [otherCopy().ConfigModule.forRoot({ ignoreEnvFile: true, load })];
    expect(await servedHost(await startWith(platform, imports))).toBe('config.test');
  });

  it('the first of two copies that has a variable gives it', async () => {
    const imports = [
      ConfigModule.forRoot({ load: [() => ({ CORS_MAX_AGE: 7 })] }),
      otherCopy().ConfigModule.forRoot({
        load: [() => ({ CORS_MAX_AGE: 'never', ALLOWED_HOSTS: 'config.test' })],
      }),
    ];
    expect(await servedHost(await startWith(platform, imports))).toBe('config.test');
  });

  it('the values of ConfigModule.forFeature() count', async () => {
    process.env['ALLOWED_HOSTS'] = 'process.test';
    const imports = [ConfigModule.forFeature(() => ({ ALLOWED_HOSTS: 'config.test' }))];
    expect(await servedHost(await startWith(platform, imports))).toBe('config.test');
  });

  it('a ConfigService that a testing module overrides counts', async () => {
    const get = (name: string): string | undefined => (name === 'ALLOWED_HOSTS' ? 'config.test' : undefined);
    const app = await start(
      { ...platform, mode: 'Testing' },
      {
        controllers: [Routes],
        imports: configuration() ?? [],
        override: builder => builder.overrideProvider(ConfigService).useValue({ get }),
      },
    );
    expect(await servedHost(app)).toBe('config.test');
  });

  it('a class of the app that is called ConfigService does not', async () => {
    const own = { ConfigService: class ConfigService {} }.ConfigService;
    const provider = { provide: own, useValue: { get: () => 'config.test' } };
    @Module({ providers: [provider], exports: [provider] })
    class ConfigModule {}
    process.env['ALLOWED_HOSTS'] = 'process.test';
    expect(await servedHost(await startWith(platform, [ConfigModule]))).toBe('process.test');
  });

  it('skipProcessEnv keeps process.env out', async () => {
    process.env['ALLOWED_HOSTS'] = 'process.test';
    const imports = configuration({ skipProcessEnv: true, ignoreEnvVars: true });
    expect(await servedHost(await startWith(platform, imports))).toBe('localhost');
  });

  it('takes numbers, booleans and lists that validate() made of text', async () => {
    process.env['ALLOWED_HOSTS'] = 'process.test';
    const validate = (variables: Record<string, unknown>): Record<string, unknown> => ({
      ...variables,
      ALLOWED_HOSTS: ['config.test', 'localhost'],
      CORS_ORIGINS: ['https://app.test'],
      CORS_CREDENTIALS: true,
      CORS_MAX_AGE: 7,
      TRUST_PROXY: ['10.0.0.0/8', 'loopback'],
      RATE_LIMIT: ['7/second', '50/minute'],
    });
    const app = await startWith(platform, configuration({ validate }));
    const preflight = await app.send('/', {
      method: 'OPTIONS',
      headers: { Host: 'config.test', Origin: 'https://app.test', 'Access-Control-Request-Method': 'PUT' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.header('Access-Control-Max-Age')).toBe('7');
    expect(preflight.header('Access-Control-Allow-Credentials')).toBe('true');
    const answer = await app.send('/', { headers: { Host: 'config.test' } });
    expect(answer.header('RateLimit-Policy')).toBe('"7-per-second";q=7;w=1, "50-per-minute";q=50;w=60');
  });

  it('an object in place of a text stops the start-up under the name of the variable', async () => {
    const load = [() => ({ ALLOWED_HOSTS: new Map([['s3cret', 1]]) })];
    const failure = await startWith(platform, configuration({ load })).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'ASEC_OPTION_TYPE', option: 'ALLOWED_HOSTS' });
    expect(String(failure)).not.toContain('s3cret');
  });

  it('a failing ConfigModule fails the start-up with its own error', async () => {
    const load = [() => Promise.reject(new Error('the vault is sealed'))];
    await expect(startWith(platform, configuration({ load }))).rejects.toThrow('the vault is sealed');
  });

  it.each([
    ['ALLOWED_HOSTS', 'https://api.example.com', 'ASEC_HOST_SCHEME'],
    ['CORS_ORIGINS', 'app.example.com', 'ASEC_ORIGIN_INVALID'],
    ['RATE_LIMIT', '5/fortnight', 'ASEC_LIMIT_SYNTAX'],
  ])('a bad %s stops the start-up under its own name', async (name, value, code) => {
    process.env[name] = value;
    await expect(start(platform)).rejects.toMatchObject({ code, message: expect.stringContaining(name) });
  });
});
