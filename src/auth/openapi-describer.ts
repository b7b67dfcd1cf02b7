import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { eachHandler, type Handler } from '../common/each-handler.js';
import {
  describeOpenApi,
  MARKER,
  type MarkedAccess,
  type OpenApiDocument,
  type SecurityScheme,
} from './describe-openapi.js';
import type { RouteAccesses } from './route-accesses.js';

/** Where Nest notes a handler's HTTP method, and @nestjs/swagger what `@ApiExtension()` says. */
const METHOD_KEY = 'method';
const EXTENSION_KEY = 'swagger/apiExtension';

/** What is patched of @nestjs/swagger. */
interface SwaggerModuleLike {
  createDocument(app: AppLike, ...rest: unknown[]): OpenApiDocument;
}

interface AppLike {
  get(token: unknown, options: { strict: boolean }): unknown;
}

/** Describes the routes of one app in its OpenAPI documents. */
export class OpenApiDescriber {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly accesses: RouteAccesses,
    private readonly schemes: readonly SecurityScheme[],
    private readonly isLimited: boolean,
  ) {}

  /** Handlers are marked while the document is made, and only then: another app may have the same classes. */
  describe(create: () => OpenApiDocument): OpenApiDocument {
    const restore = this.#mark();
    try {
      return describeOpenApi(create(), this.schemes, this.isLimited);
    } finally {
      restore();
    }
  }

  #mark(): () => void {
    const marks = new Map<Handler, Record<string, MarkedAccess[string]>>();
    for (const { controller, handler } of eachHandler(this.modules, new MetadataScanner())) {
      if (!Reflect.hasMetadata(METHOD_KEY, handler)) continue;
      const accesses = marks.get(handler) ?? {};
      accesses[controller.name] = this.accesses.get(controller, handler);
      marks.set(handler, accesses);
    }
    const before = new Map<Handler, unknown>();
    for (const [handler, accesses] of marks) {
      const own: unknown = Reflect.getOwnMetadata(EXTENSION_KEY, handler);
      before.set(handler, own);
      Reflect.defineMetadata(EXTENSION_KEY, { ...(own as object | undefined), [MARKER]: accesses }, handler);
    }
    return () => {
      for (const [handler, own] of before) {
        if (own === undefined) Reflect.deleteMetadata(EXTENSION_KEY, handler);
        else Reflect.defineMetadata(EXTENSION_KEY, own, handler);
      }
    };
  }
}

const PATCHED = Symbol.for('agent-security:openapi');

/**
 * Lets `SwaggerModule.createDocument()` describe apps that have a describer, where @nestjs/swagger is installed. Its document knows no
 * place to add to from outside, so that the function is wrapped, once a process.
 */
export async function installOpenApi(): Promise<void> {
  let swagger: SwaggerModuleLike & { [PATCHED]?: true };
  try {
    const module = (await import('@nestjs/swagger')) as unknown as { SwaggerModule: typeof swagger };
    swagger = module.SwaggerModule;
  } catch (error) {
    if (String((error as { code?: unknown }).code).endsWith('MODULE_NOT_FOUND')) return;
    throw error;
  }
  if (swagger[PATCHED]) return;
  swagger[PATCHED] = true;
  const createDocument = swagger.createDocument.bind(swagger);
  swagger.createDocument = (app, ...rest) => {
    const create = (): OpenApiDocument => createDocument(app, ...rest);
    const describer = describerOf(app);
    return describer === undefined ? create() : describer.describe(create);
  };
}

function describerOf(app: AppLike): OpenApiDescriber | undefined {
  try {
    return (app.get(OpenApiDescriber, { strict: false }) as OpenApiDescriber | null | undefined) ?? undefined;
  } catch {
    // An app without the module.
    return undefined;
  }
}
