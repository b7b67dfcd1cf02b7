/* The hooks of Nest's adapters in every supported version. Nest 11.0 has none, Nest 11.1 to 12.0 have the request hook, and later versions
 * have the security hook too. Where a hook is missing, the framework's own takes its place. */
import type { ServerResponse } from 'node:http';
import type { PlatformRequest, PlatformResponse } from '../common/http-request.js';

type Done = (error?: unknown) => void;
export type RequestHook = (request: PlatformRequest, response: PlatformResponse, done: Done) => unknown;
export type SecurityHook = (request: PlatformRequest, response: ServerResponse) => Error | undefined;

export interface AdapterHooks {
  onRequestHook?: RequestHook | undefined;
  setOnRequestHook?(hook: RequestHook): void;
  registerSecurityHook?(hook: SecurityHook): unknown;
  getInstance(): unknown;
  getType(): string;
}

interface App {
  /** Of Express, or of middie in Fastify, which Nest registers before the module is constructed or after it. */
  use?(middleware: RequestHook): unknown;
  /** Of Fastify. */
  addHook?(event: 'onRequest', hook: RequestHook): unknown;
}

/** Runs the hook for every request that the framework routes, before the middleware of main.ts and of modules. */
export function setRequestHook(methods: AdapterHooks, hook: RequestHook): void {
  if (methods.setOnRequestHook !== undefined) return methods.setOnRequestHook(hook);
  const app = methods.getInstance() as App;
  app.use?.(hook);
  app.addHook?.('onRequest', hook);
}

/** Where Fastify has the options of its instance. */
const FASTIFY_OPTIONS = 'Symbol(fastify.options)';

type FrameworkErrors = (
  error: unknown,
  request: PlatformRequest,
  reply: { readonly raw: ServerResponse },
) => void;

/**
 * Answers the requests that Fastify rejects while it routes them: a malformed URL, a parameter that is too long. Only the security hook
 * sees them; without it, Fastify asks its option `frameworkErrors`. That of the app stays.
 */
export function answerUnroutable(
  methods: AdapterHooks,
  answer: (request: PlatformRequest, response: ServerResponse) => void,
): void {
  const instance = methods.getInstance() as Record<symbol, { frameworkErrors?: FrameworkErrors } | undefined>;
  const key = Object.getOwnPropertySymbols(instance).find(symbol => String(symbol) === FASTIFY_OPTIONS);
  const options = key === undefined ? undefined : instance[key];
  if (options !== undefined)
    options.frameworkErrors ??= (_error, request, reply) => answer(request, reply.raw);
}
