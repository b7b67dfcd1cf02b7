import type { AddressInfo } from 'node:net';
import {
  type DynamicModule,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
  type ModuleMetadata,
  type NestModule,
  type NestApplicationOptions,
} from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import {
  type AgentSecurityExtras,
  AgentSecurityModule,
  type AgentSecurityOptions,
  type Clock,
  CLOCK,
} from '../../src/index.js';
import { ManualClock } from './clock.js';
import { type Answer, request, type RequestOptions } from './http.js';
import { CapturingLogger } from './logger.js';
import type { Platform } from './platforms.js';

export interface AppParts extends Pick<ModuleMetadata, 'imports' | 'controllers' | 'providers'> {
  /** Of `forRoot()`. */
  options?: AgentSecurityOptions;
  extras?: AgentSecurityExtras;
  /** In place of `forRoot(options, extras)`; `false` for an app without the module. The clock is then the caller's affair. */
  security?: DynamicModule | false;
  /** @default a ManualClock, found again as `clock` */
  clock?: Clock;
  middleware?: (consumer: MiddlewareConsumer) => void;
  /** The last argument of `NestFactory.create()` or `createNestApplication()`. */
  nest?: NestApplicationOptions;
  /** @default the platform's own */
  adapter?: () => AbstractHttpAdapter;
  /** What `main.ts` would do between `create()` and `listen()`. */
  configure?: (app: INestApplication) => void | Promise<void>;
  /** Overrides of a testing module; only where the platform's mode is `Testing`. */
  override?: (builder: TestingModuleBuilder) => TestingModuleBuilder;
  /** Sends requests over TLS. */
  tls?: boolean;
  /** Where to listen, for an app whose options name its own URL. @default any free port */
  port?: number;
}

export interface RunningApp {
  readonly app: INestApplication;
  readonly port: number;
  readonly clock: ManualClock;
  readonly logger: CapturingLogger;
  /** A request to this app: `send('/path')`, `send('/path', { method: 'POST', body: '{}' })`. */
  send(path: string, options?: Omit<RequestOptions, 'path'>): Promise<Answer>;
  close(): Promise<void>;
}

const inTest: RunningApp[] = [];
const shared: RunningApp[] = [];
const closeAll = async (apps: RunningApp[]): Promise<void> => {
  for (const running of apps.splice(0)) await running.close();
};
afterEach(() => closeAll(inTest));
afterAll(() => closeAll(shared));

/** Starts an app for one test; it is closed behind the test. */
export async function start(platform: Platform, parts: AppParts = {}): Promise<RunningApp> {
  const running = await launch(platform, parts);
  inTest.push(running);
  return running;
}

/** Starts an app for several tests, from `beforeAll`; it is closed behind the file. */
export async function startShared(platform: Platform, parts: AppParts = {}): Promise<RunningApp> {
  const running = await launch(platform, parts);
  shared.push(running);
  return running;
}

/** Makes an app and neither initializes nor starts it; closing it is the caller's affair. */
export async function createApp(
  platform: Platform,
  parts: AppParts,
  logger: CapturingLogger,
  clock: Clock,
): Promise<INestApplication> {
  const root = rootModule(parts, clock);
  const adapter = (parts.adapter ?? platform.createAdapter)();
  if (platform.mode === 'NestFactory') {
    return NestFactory.create(root, adapter, { abortOnError: false, logger, ...parts.nest });
  }
  const builder = Test.createTestingModule({ imports: [root] }).setLogger(logger);
  const testing = await (parts.override?.(builder) ?? builder).compile();
  return testing.createNestApplication(adapter, { logger, ...parts.nest });
}

async function launch(platform: Platform, parts: AppParts): Promise<RunningApp> {
  const logger = new CapturingLogger();
  const clock = parts.clock ?? new ManualClock();
  const app = await createApp(platform, parts, logger, clock);
  try {
    await parts.configure?.(app);
    await app.listen(parts.port ?? 0, '127.0.0.1');
  } catch (error) {
    await app.close();
    throw error;
  }
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    app,
    port,
    clock: clock as ManualClock,
    logger,
    send: (path, options) => request(port, { tls: parts.tls ?? false, ...options, path }),
    close: async () => {
      // Idle keep-alive connections and unfinished streams would hold the server open.
      app.getHttpServer().closeAllConnections?.();
      await app.close();
    },
  };
}

function rootModule(parts: AppParts, clock: Clock): DynamicModule {
  const { options, extras, security, middleware, imports = [], controllers = [], providers = [] } = parts;
  const own =
    security ??
    AgentSecurityModule.forRoot(options ?? {}, {
      providers: [{ provide: CLOCK, useValue: clock }, ...(extras?.providers ?? [])],
    });

  @Module({})
  class RootModule implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      middleware?.(consumer);
    }
  }
  return {
    module: RootModule,
    imports: own === false ? imports : [own, ...imports],
    controllers,
    providers,
  };
}
