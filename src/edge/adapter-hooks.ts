/* The hooks of Nest's adapters in every supported version. Nest 11.2 to 12.0 have the request hook. Later versions have the security hook
 * too; in earlier ones, Fastify's own option takes its place. */
import type { ServerResponse } from 'node:http';
import type { PlatformRequest, PlatformResponse } from '../common/http-request.js';

type Done = (error?: unknown) => void;
type RequestHook = (request: PlatformRequest, response: PlatformResponse, done: Done) => unknown;
export type SecurityHook = (request: PlatformRequest, response: ServerResponse) => Error | undefined;

export interface AdapterHooks {
  onRequestHook?: RequestHook | undefined;
  setOnRequestHook(hook: RequestHook): void;
  registerSecurityHook?(hook: SecurityHook): unknown;
  getInstance(): unknown;
  getType(): string;
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
 * sees them. Without that hook, Fastify calls its option `frameworkErrors`. A function that the app has set there is kept.
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
