/* Adds authentication to the documents of @nestjs/swagger: the security schemes, the routes that need them, and the 401, 403 and 429
 * responses. */
import type { ModulesContainer } from '@nestjs/core';
import { eachHandler, type Handler } from '../common/each-handler.js';
import type { RouteAccess, RouteAccesses } from './route-accesses.js';

/** Security schemes by the names that operations reference. */
type SecuritySchemes = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export const API_KEY_SCHEMES: SecuritySchemes = {
  ApiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key.' },
  Bearer: { type: 'http', scheme: 'bearer', description: 'An API key.' },
};

export const TOKEN_SCHEMES: SecuritySchemes = {
  Bearer: { type: 'http', scheme: 'bearer', description: 'A token of this API.' },
};

/** The metadata keys of Nest's method decorators and of `@ApiExtension()`. */
const METHOD_KEY = 'method';
const EXTENSION_KEY = 'swagger/apiExtension';

/** The extension that carries the access rules of an operation until it is described. */
const MARKER = 'x-agent-security';

interface Operation {
  operationId?: string;
  security?: unknown[];
  responses?: Record<string, unknown>;
  /** The access rules of one handler by class name: an inherited handler has several. */
  [MARKER]?: Readonly<Record<string, RouteAccess>>;
}

interface OpenApiDocument {
  paths?: Record<string, Record<string, unknown>>;
  components?: { securitySchemes?: Record<string, unknown>; schemas?: Record<string, unknown> };
  security?: unknown[];
}

/** The parts of Nest's app and of @nestjs/swagger that are used. */
interface AppLike {
  get(token: unknown, options: { strict: boolean }): unknown;
}
interface SwaggerModuleLike {
  createDocument(app: AppLike, ...rest: unknown[]): OpenApiDocument;
}

const PROBLEM_SCHEMA = {
  type: 'object',
  description: 'RFC 9457',
  required: ['type', 'title', 'status', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', description: 'A stable identifier of the problem.' },
    requestId: { type: 'string' },
  },
  additionalProperties: true,
};

/** Adds authentication to the OpenAPI documents of one app. */
export class OpenApiDescriber {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly accesses: RouteAccesses,
    private readonly schemes: SecuritySchemes,
    private readonly isLimited: boolean,
  ) {}

  /** Marks the handlers only while the document is created: another app may have the same classes. */
  describe(create: () => OpenApiDocument): OpenApiDocument {
    const restore = this.#mark();
    try {
      return this.#complete(create());
    } finally {
      restore();
    }
  }

  #mark(): () => void {
    const marks = new Map<Handler, Record<string, RouteAccess>>();
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

  /** Completes a document whose operations are marked. It does not overwrite what the document already contains. */
  #complete(document: OpenApiDocument): OpenApiDocument {
    let described = false;
    for (const operation of Object.values(document.paths ?? {}).flatMap(item => Object.values(item))) {
      const access = takeAccess(operation as Operation);
      if (access === undefined) continue;
      this.#describe(operation as Operation, access, document.security !== undefined);
      described = true;
    }
    if (!described) return document;
    const components = (document.components ??= {});
    components.schemas = { ProblemDetails: PROBLEM_SCHEMA, ...components.schemas };
    components.securitySchemes = { ...this.schemes, ...components.securitySchemes };
    return document;
  }

  #describe(operation: Operation, { isPublic, all, any }: RouteAccess, hasGlobalSecurity: boolean): void {
    const responses = (operation.responses ??= {});
    const add = (status: number, description: string): void => {
      responses[status] ??= {
        description,
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/ProblemDetails' } } },
      };
    };
    if (isPublic) {
      if (hasGlobalSecurity) operation.security ??= [];
    } else {
      const names = Object.keys(this.schemes);
      if (names.length > 0) operation.security ??= names.map(name => ({ [name]: [] }));
      add(401, 'The credential is missing or invalid');
      const needs = [
        ...(all.length > 0 ? [`all of ${all.join(', ')}`] : []),
        ...(any.length > 0 ? [`one of ${any.join(', ')}`] : []),
      ];
      if (needs.length > 0) add(403, `A scope is missing: needs ${needs.join(' and ')}`);
    }
    if (this.isLimited) add(429, 'A rate limit is exceeded: wait for Retry-After');
  }
}

function takeAccess(operation: Operation | null): RouteAccess | undefined {
  if (typeof operation !== 'object' || operation === null) return undefined;
  const marked = operation[MARKER];
  if (marked === undefined) return undefined;
  delete operation[MARKER];
  const own = Object.keys(marked).find(name => operation.operationId?.startsWith(`${name}_`));
  if (own !== undefined) return marked[own];
  return Object.values(marked).find(({ isPublic }) => !isPublic) ?? Object.values(marked)[0];
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
    return describerOf(app)?.describe(create) ?? create();
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
