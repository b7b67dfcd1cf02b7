/* Which agents may call a route, resolved once per route from @Public, @Scopes and @AnyScope. */
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer, Reflector } from '@nestjs/core';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { eachHandler, type Handler, type HandlerClass, RouteMemo } from '../common/each-handler.js';
import { RESOLVED_AUTH, type ResolvedAuth } from './auth.options.js';

/** The metadata keys of the decorators. */
export const PUBLIC_KEY = 'agent-security:public';
export const SCOPES_KEY = 'agent-security:scopes';
export const ANY_SCOPE_KEY = 'agent-security:any-scope';

export interface RouteAccess {
  readonly isPublic: boolean;
  /** Scopes of which the agent needs all. */
  readonly all: readonly string[];
  /** Scopes of which the agent needs one; empty for no such requirement. */
  readonly any: readonly string[];
}

/** The metadata of a class or a handler. */
type AccessMetadata = { readonly [K in keyof RouteAccess]: RouteAccess[K] | undefined };

/** The access rules of all routes. They are read at start-up, so that a contradiction stops the start-up. */
@Injectable()
export class RouteAccesses implements OnModuleInit {
  readonly #memo: RouteMemo<RouteAccess>;

  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(RESOLVED_AUTH) private readonly auth: ResolvedAuth | false,
  ) {
    this.#memo = new RouteMemo((controller, handler) =>
      resolveAccess(`${controller.name}.${handler.name}`, this.#read(handler), this.#read(controller)),
    );
  }

  get(controller: HandlerClass, handler: Handler): RouteAccess {
    return this.#memo.get(controller, handler);
  }

  onModuleInit(): void {
    for (const { controller, handler } of eachHandler(this.modules, { withProviders: true })) {
      if (this.auth !== false) this.get(controller, handler);
      else if (needsScopes(this.#read(handler)) || needsScopes(this.#read(controller))) {
        // Without auth, the route would be open to all clients.
        throw new AgentSecurityConfigError(
          'ASEC_AUTH_ROUTE',
          '@Scopes()',
          `is used on ${controller.name}.${handler.name}, but auth is off, so that scopes are not checked`,
          'Set auth, or remove the decorator.',
        );
      }
    }
  }

  #read(target: Handler): AccessMetadata {
    const read = <T>(key: string): T | undefined => this.reflector.get<T | undefined>(key, target as never);
    return { isPublic: read(PUBLIC_KEY), all: read(SCOPES_KEY), any: read(ANY_SCOPE_KEY) };
  }
}

/**
 * A handler's metadata takes precedence over its class's: its scopes replace the class's scopes and its @Public().
 * @throws AgentSecurityConfigError for a route that is public and requires scopes
 */
function resolveAccess(route: string, handler: AccessMetadata, controller: AccessMetadata): RouteAccess {
  rejectPublicScopes(route, handler);
  rejectPublicScopes(`the class of ${route}`, controller);
  if (handler.isPublic === true) return { isPublic: true, all: [], any: [] };
  const { isPublic = false, all = [], any = [] } = needsScopes(handler) ? handler : controller;
  return { isPublic: handler.isPublic ?? isPublic, all, any };
}

function rejectPublicScopes(name: string, metadata: AccessMetadata): void {
  if (metadata.isPublic !== true || !needsScopes(metadata)) return;
  throw new AgentSecurityConfigError(
    'ASEC_AUTH_ROUTE',
    '@Public()',
    `is combined with scopes on ${name}, which a public route does not check`,
    'Remove one of the two.',
  );
}

const needsScopes = ({ all, any }: AccessMetadata): boolean => all !== undefined || any !== undefined;

/** Whether an agent with these scopes may call a route. */
export function hasAccess({ all, any }: RouteAccess, scopes: readonly string[]): boolean {
  return (
    all.every(scope => scopes.includes(scope)) &&
    (any.length === 0 || any.some(scope => scopes.includes(scope)))
  );
}
