/* Routes the verbs of `@Verb()`. Express tries the routes of a path in order, so each handler is wrapped and passes on
 * requests of another verb; in Fastify the verb is a constraint of the route, beside method and path. */
import type { IncomingMessage } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { PlatformRequest } from '../common/http-request.js';
import { stateOfRequest } from '../common/request-state.js';
import { checkVerb, VERB_KEY } from '../verb/check-verb.js';

type RouteHandler = (request: PlatformRequest, response: unknown, next: () => void) => unknown;
type Register = (...args: unknown[]) => unknown;

interface ExpressMethods {
  post: Register;
  all: Register;
}

/** A constraint of find-my-way, Fastify's router. */
interface ConstraintStrategy {
  readonly name: string;
  storage(): { get(verb: string): unknown; set(verb: string, store: unknown): void };
  validate(verb: unknown): void;
  deriveConstraint(raw: IncomingMessage): string | undefined;
  readonly mustMatchWhenDerived: boolean;
}

export function installVerbs(adapter: AbstractHttpAdapter, verbs: ReadonlySet<string>): void {
  if (verbs.size === 0) return;
  if (adapter.getType() === 'fastify') {
    const instance = adapter.getInstance<{ addConstraintStrategy(strategy: ConstraintStrategy): void }>();
    instance.addConstraintStrategy(constraintOf(verbs));
  } else {
    const methods = adapter as unknown as ExpressMethods;
    for (const method of ['post', 'all'] as const) {
      const register = methods[method].bind(methods);
      methods[method] = (...args) => {
        const handler = args.at(-1);
        if (typeof handler === 'function') args[args.length - 1] = onlyForVerb(handler as RouteHandler);
        return register(...args);
      };
    }
  }
}

/** Passes a request with another verb, or without one, to the next route. */
function onlyForVerb(handler: RouteHandler): RouteHandler {
  const verb = Reflect.getMetadata(VERB_KEY, handler) as string | undefined;
  return (request, response, next) =>
    stateOfRequest(request)?.verb === verb ? handler(request, response, next) : next();
}

function constraintOf(verbs: ReadonlySet<string>): ConstraintStrategy {
  return {
    name: 'verb',
    storage: () => {
      const stores = new Map<string, unknown>();
      return { get: verb => stores.get(verb) ?? null, set: (verb, store) => void stores.set(verb, store) };
    },
    validate: () => undefined,
    deriveConstraint: raw => {
      const found = checkVerb(raw, verbs);
      return typeof found === 'string' ? found : undefined;
    },
    // A plain POST route must not match a request with a verb.
    mustMatchWhenDerived: true,
  };
}
