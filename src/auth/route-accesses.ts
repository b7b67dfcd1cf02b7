import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModulesContainer, Reflector } from '@nestjs/core';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { eachHandler, type Handler, type HandlerClass, RouteMemo } from '../common/each-handler.js';
import { RESOLVED_AUTH, type ResolvedAuth } from './auth.options.js';
import {
  type AccessMetadata,
  ANY_SCOPE_KEY,
  needsScopes,
  PUBLIC_KEY,
  resolveAccess,
  type RouteAccess,
  SCOPES_KEY,
} from './route-access.js';

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
    const handlers = eachHandler(this.modules, { withProviders: true });
    for (const { controller, handler } of handlers) this.#check(controller, handler);
  }

  #check(controller: HandlerClass, handler: Handler): void {
    if (this.auth !== false) {
      this.get(controller, handler);
    } else if (needsScopes(this.#read(handler)) || needsScopes(this.#read(controller))) {
      // Without auth, the route would be open to all clients.
      throw new AgentSecurityConfigError(
        'ASEC_AUTH_ROUTE',
        '@Scopes()',
        `is used on ${controller.name}.${handler.name}, but auth is off, so that scopes are not checked`,
        'Set auth, or remove the decorator.',
      );
    }
  }

  #read(target: Handler): AccessMetadata {
    const read = <T>(key: string): T | undefined => this.reflector.get<T | undefined>(key, target as never);
    return {
      isPublic: read<boolean>(PUBLIC_KEY),
      all: read<readonly string[]>(SCOPES_KEY),
      any: read<readonly string[]>(ANY_SCOPE_KEY),
    };
  }
}
