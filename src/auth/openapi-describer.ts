import { type ModulesContainer } from '@nestjs/core';
import { eachHandler, type Handler } from '../common/each-handler.js';
import {
  describeOpenApi,
  MARKER,
  type MarkedAccess,
  type OpenApiDocument,
  type SecurityScheme,
} from './describe-openapi.js';
import type { RouteAccesses } from './route-accesses.js';

/** The metadata keys of Nest's method decorators and of `@ApiExtension()`. */
const METHOD_KEY = 'method';
const EXTENSION_KEY = 'swagger/apiExtension';

/** The part of @nestjs/swagger that is patched. */
interface SwaggerModuleLike {
  createDocument(app: AppLike, ...rest: unknown[]): OpenApiDocument;
}

interface AppLike {
  get(token: unknown, options: { strict: boolean }): unknown;
}

/** Adds authentication to the OpenAPI documents of one app. */
export class OpenApiDescriber {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly accesses: RouteAccesses,
    private readonly schemes: readonly SecurityScheme[],
    private readonly isLimited: boolean,
  ) {}

  /** Marks the handlers only while the document is created: another app may have the same classes. */
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
    for (const { controller, handler } of eachHandler(this.modules)) {
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
 * Wraps `SwaggerModule.createDocument()`, once per process, where @nestjs/swagger is installed: it has no extension point for documents.
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
    // The app does not use the module.
    return undefined;
  }
}
