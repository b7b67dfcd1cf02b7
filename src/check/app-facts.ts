/* What checks know of the app: its modules, guards, middleware, tools and served files. It is read from Nest's container and the adapter. */
import type { AbstractHttpAdapter, ModulesContainer } from '@nestjs/core';
import { eachHandler } from '../common/each-handler.js';
import { isRecord } from '../common/read-options.js';
import { TOOL_KEY } from '../tools/tool-routes.js';
import type { Tool } from '../tools/tool.js';
import { findForeign, type ForeignPackage } from './foreign-packages.js';
import { findSourceMaps } from './source-maps.js';

export interface AppFacts {
  /** Whether the app's own server speaks TLS. */
  readonly hasTls: boolean;
  /** Packages whose part of the work the module does, as far as they are registered in the app. */
  readonly registered: ReadonlySet<ForeignPackage>;
  readonly hasGateways: boolean;
  /** The tools of `@AgentTool()`, each once. */
  readonly tools: readonly Tool[];
  /** Source maps in folders that the app serves. */
  readonly sourceMaps: readonly string[];
  /** The dependencies that the app's package.json names. */
  readonly installed: ReadonlySet<string>;
}

export interface AppSource {
  readonly modules: ModulesContainer;
  /** `undefined` for an app without HTTP. */
  readonly adapter: AbstractHttpAdapter | undefined;
  readonly installed: ReadonlySet<string>;
}

const GATEWAY_KEY = 'websockets:is_gateway';
const STATIC_OPTIONS = 'SERVE_STATIC_MODULE_OPTIONS';

export function readAppFacts({ modules, adapter, installed }: AppSource): AppFacts {
  const server: unknown = adapter?.getHttpServer();
  const providers = [...modules.values()].flatMap(module => [
    ...module.providers.values(),
    ...module.injectables.values(),
  ]);
  return {
    // Of node:https and of HTTP/2 over TLS; not of a server that only looks like one.
    hasTls: isRecord(server) && typeof server['setSecureContext'] === 'function',
    registered: findForeign(adapter, providers),
    hasGateways: providers.some(
      ({ metatype }) => typeof metatype === 'function' && Reflect.getMetadata(GATEWAY_KEY, metatype) === true,
    ),
    tools: findTools(modules),
    sourceMaps: findSourceMaps(
      providers.filter(({ token }) => token === STATIC_OPTIONS).flatMap(({ instance }) => rootsOf(instance)),
    ),
    installed,
  };
}

function findTools(modules: ModulesContainer): readonly Tool[] {
  const tools = new Map<string, Tool>();
  for (const { handler } of eachHandler(modules, { withProviders: true })) {
    const tool = Reflect.getMetadata(TOOL_KEY, handler) as Tool | undefined;
    if (tool !== undefined) tools.set(tool.name, tool);
  }
  return [...tools.values()];
}

/** The folders of `ServeStaticModule`. */
const rootsOf = (options: unknown): readonly string[] =>
  (Array.isArray(options) ? (options as unknown[]) : [options]).flatMap(one =>
    isRecord(one) && typeof one['rootPath'] === 'string' ? one['rootPath'] : [],
  );
