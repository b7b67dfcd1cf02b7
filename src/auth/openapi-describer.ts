/* Adds to the documents of @nestjs/swagger what the module answers: the security schemes, the routes that need them, and the responses of the
 * guards, with their limits and headers. */
import type { ModulesContainer } from '@nestjs/core';
import type { RouteDescriber, RouteResponse } from '../common/describe-route.js';
import { eachHandler, type Handler } from '../common/each-handler.js';
import type { RouteAccess, RouteAccesses } from './route-accesses.js';

/** Security schemes by the names that operations reference. */
type SecuritySchemes = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The schemes of the configured kinds of credentials. */
export function securitySchemes(kinds: {
  readonly apiKeys: boolean;
  readonly tokens: boolean;
  readonly dpop: boolean;
}): SecuritySchemes {
  const { apiKeys, tokens, dpop } = kinds;
  const taken = [...(apiKeys ? ['an API key'] : []), ...(tokens ? ['an access token'] : [])].join(' or ');
  return {
    ...(apiKeys
      ? { ApiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'Takes an API key.' } }
      : {}),
    ...(taken === '' ? {} : { Bearer: { type: 'http', scheme: 'bearer', description: `Takes ${taken}.` } }),
    ...(dpop
      ? {
          DPoP: {
            type: 'http',
            scheme: 'dpop',
            description: 'Takes an access token that is bound to a key, with a proof in the header DPoP.',
          },
        }
      : {}),
  };
}

/** The metadata keys of Nest's method decorators and of `@ApiExtension()`. */
const METHOD_KEY = 'method';
const EXTENSION_KEY = 'swagger/apiExtension';

/** The extension that carries the access rules of an operation until it is described. */
const MARKER = 'x-agent-security';

/** What a route answers in place of its handler. */
interface RouteFacts {
  readonly access: RouteAccess;
  readonly responses: readonly RouteResponse[];
}

interface DocumentedResponse {
  description: string;
  headers?: Record<string, unknown>;
  content: unknown;
}

interface Operation {
  operationId?: string;
  security?: unknown[];
  responses?: Record<string, unknown>;
  requestBody?: unknown;
  /** The facts of one handler by class name: an inherited handler has several. */
  [MARKER]?: Readonly<Record<string, RouteFacts>>;
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

/** Adds what the module answers to the OpenAPI documents of one app. */
export class OpenApiDescriber {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly accesses: RouteAccesses,
    private readonly schemes: SecuritySchemes,
    private readonly describers: readonly RouteDescriber[],
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
    const marks = new Map<Handler, Record<string, RouteFacts>>();
    for (const { controller, handler } of eachHandler(this.modules)) {
      // Also of handlers that are no routes: limits are named in the order in which they are first read, in every process alike.
      const responses = this.describers.flatMap(each => each.describeRoute(controller, handler));
      if (!Reflect.hasMetadata(METHOD_KEY, handler)) continue;
      const facts = marks.get(handler) ?? {};
      facts[controller.name] = { access: this.accesses.get(controller, handler), responses };
      marks.set(handler, facts);
    }
    const before = new Map<Handler, unknown>();
    for (const [handler, facts] of marks) {
      const own: unknown = Reflect.getOwnMetadata(EXTENSION_KEY, handler);
      before.set(handler, own);
      Reflect.defineMetadata(EXTENSION_KEY, { ...(own as object | undefined), [MARKER]: facts }, handler);
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
    for (const [method, operation] of Object.values(document.paths ?? {}).flatMap(item =>
      Object.entries(item),
    )) {
      const facts = takeFacts(operation as Operation);
      if (facts === undefined) continue;
      const hasBody = BODY_METHODS.has(method) || (operation as Operation).requestBody !== undefined;
      this.#describe(operation as Operation, facts, hasBody, document.security !== undefined);
      described = true;
    }
    if (!described) return document;
    const components = (document.components ??= {});
    components.schemas = { ProblemDetails: PROBLEM_SCHEMA, ...components.schemas };
    if (Object.keys(this.schemes).length > 0)
      components.securitySchemes = { ...this.schemes, ...components.securitySchemes };
    return document;
  }

  #describe(
    operation: Operation,
    { access: { isPublic }, responses }: RouteFacts,
    hasBody: boolean,
    hasGlobalSecurity: boolean,
  ): void {
    const names = Object.keys(this.schemes);
    if (isPublic && hasGlobalSecurity) operation.security ??= [];
    if (!isPublic && names.length > 0) operation.security ??= names.map(name => ({ [name]: [] }));
    const added: Record<string, DocumentedResponse> = {};
    for (const { status, description, headers, needsBody } of responses) {
      if (needsBody === true && !hasBody) continue;
      const known = added[status];
      const response = (added[status] ??= { description, content: structuredClone(PROBLEM_CONTENT) });
      if (known !== undefined) known.description += `. ${description}`;
      for (const [name, meaning] of Object.entries(headers ?? {}))
        (response.headers ??= {})[name] = describeHeader(name, meaning);
    }
    operation.responses = { ...added, ...operation.responses };
  }
}

/** The methods whose requests have a body, as documents spell them. */
const BODY_METHODS: ReadonlySet<string> = new Set(['post', 'put', 'patch']);

const PROBLEM_CONTENT = {
  'application/problem+json': { schema: { $ref: '#/components/schemas/ProblemDetails' } },
};

const describeHeader = (name: string, description: string): object => ({
  description,
  schema: { type: /^(?:Retry-After|X-RateLimit-)/.test(name) ? 'integer' : 'string' },
});

function takeFacts(operation: Operation | null): RouteFacts | undefined {
  if (typeof operation !== 'object' || operation === null) return undefined;
  const marked = operation[MARKER];
  if (marked === undefined) return undefined;
  delete operation[MARKER];
  const own = Object.keys(marked).find(name => operation.operationId?.startsWith(`${name}_`));
  if (own !== undefined) return marked[own];
  return Object.values(marked).find(({ access }) => !access.isPublic) ?? Object.values(marked)[0];
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
