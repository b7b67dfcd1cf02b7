/* @nestjs/throttler takes as long to load as most of this package, so an app that does not use it does not load it. In processes of their
 * own, since a test has loaded it already. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(__dirname, '../..');
const execute = promisify(execFile);

const APP = `
  import 'reflect-metadata';
  import { createRequire } from 'node:module';
  import { Catch, Controller, Get, Module } from '@nestjs/common';
  import { APP_FILTER, APP_GUARD, NestFactory } from '@nestjs/core';
  import { AgentSecurityModule, RateLimitGuard } from './dist/index.js';
  class HelloController { hello() { return 'hello'; } }
  Controller()(HelloController);
  Get()(HelloController.prototype, 'hello', Object.getOwnPropertyDescriptor(HelloController.prototype, 'hello'));
  class AppModule {}
  async function run({ providers = [], extras = {}, beforeListen = () => undefined } = {}) {
    const imports = [AgentSecurityModule.forRoot({ rateLimit: '1/minute' }, extras)];
    Module({ imports, controllers: [HelloController], providers })(AppModule);
    const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    await beforeListen(app);
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address();
    const get = async () => {
      const response = await fetch('http://127.0.0.1:' + port);
      return [response.status, await response.text()];
    };
    const answers = [await get(), await get()];
    await app.close();
    const isLoaded = Object.keys(createRequire(import.meta.url).cache).some(path => /@nestjs.throttler/.test(path));
    console.log(JSON.stringify({ statuses: answers.map(([status]) => status), last: answers[1][1], isLoaded }));
  }
`;

interface Result {
  readonly statuses: readonly number[];
  readonly last: string;
  readonly isLoaded: boolean;
}

/** @param script the rest of APP @param flags of Node.js */
async function runApp(script: string, flags: readonly string[] = []): Promise<Result> {
  const args = [...flags, '--input-type=module', '--eval', APP + script];
  const { stdout } = await execute(process.execPath, args, { cwd: ROOT });
  return JSON.parse(stdout) as Result;
}

const FILTER = `
  import { ThrottlerException } from '@nestjs/throttler';
  class Filter { catch(error, host) { host.switchToHttp().getResponse().status(429).end('caught ' + (error instanceof ThrottlerException)); } }
  Catch(ThrottlerException)(Filter);
`;

const LATE_FILTER = `
  const beforeListen = async app => {
    const { ThrottlerException } = await import('@nestjs/throttler');
    class Filter { catch(error, host) { host.switchToHttp().getResponse().status(429).end('caught ' + (error instanceof ThrottlerException)); } }
    Catch(ThrottlerException)(Filter);
    app.useGlobalFilters(new Filter());
  };
`;

const SUBCLASS = `
  class MyGuard extends RateLimitGuard {}
  const inject = Reflect.getMetadata('self:paramtypes', RateLimitGuard)
    .sort((a, b) => a.index - b.index)
    .map(({ param }) => ({ token: param, optional: true }));
  const FACTORY = { useFactory: (...parts) => new MyGuard(...parts), inject };
`;

describe('@nestjs/throttler', () => {
  it('is not loaded by an app that does not use it', async () => {
    expect(await runApp('await run();')).toMatchObject({ statuses: [200, 429], isLoaded: false });
  });

  it('gives the 429 its type in an app that has loaded it', async () => {
    const script = `${FILTER} await run({ providers: [{ provide: APP_FILTER, useClass: Filter }] });`;
    expect(await runApp(script)).toEqual({ statuses: [200, 429], last: 'caught true', isLoaded: true });
  });

  it('gives the 429 its type in an app that loads it while it starts', async () => {
    const result = await runApp(`${LATE_FILTER} await run({ beforeListen });`);
    expect(result).toEqual({ statuses: [200, 429], last: 'caught true', isLoaded: true });
  });

  it.each([
    ['in place of the guard', '{ extras: { providers: [{ provide: RateLimitGuard, useClass: MyGuard }] } }'],
    [
      'by a factory in place of the guard',
      '{ extras: { providers: [{ ...FACTORY, provide: RateLimitGuard }] } }',
    ],
    ['as a guard of its own', '{ extras: { providers: [{ provide: APP_GUARD, useClass: MyGuard }] } }'],
  ])('is loaded for a subclass %s', async (_title, parts) => {
    expect(await runApp(`${SUBCLASS} await run(${parts});`)).toMatchObject({
      statuses: [200, 429],
      isLoaded: true,
    });
  });

  it('stops the start-up with a remedy where a subclass is made before it is loaded', async () => {
    const script = `${SUBCLASS}
      await run({ extras: { providers: [{ ...FACTORY, provide: 'OTHER' }] } })
        .catch(error => console.log(JSON.stringify({ last: error.message })));`;
    expect((await runApp(script)).last).toBe(
      'MyGuard extends ThrottlerGuard, and @nestjs/throttler was not loaded before the guard. Provide the guard with useClass or as RateLimitGuard, or import @nestjs/throttler in the app.',
    );
  });

  it('is loaded where the cache of CommonJS modules shows nothing', async () => {
    const script = `
      for (const key of Object.keys(createRequire(import.meta.url).cache)) delete createRequire(import.meta.url).cache[key];
      await run();`;
    expect((await runApp(script)).isLoaded).toBe(true);
  });
});
