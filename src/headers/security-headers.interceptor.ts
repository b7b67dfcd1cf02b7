import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { requestState } from '../common/request-state.js';
import { compileHeaderTemplate, type HeaderTemplate } from '../common/header-template.js';
import { RouteMemo } from '../common/each-handler.js';
import {
  CONTENT_SECURITY_POLICY_KEY,
  HEADER_SETTINGS,
  type HeaderSettings,
  NO_STORE_KEY,
  type RouteCaching,
  SECURITY_HEADERS_KEY,
  templateParts,
} from './header-settings.js';
import { layHeaders, type SecurityHeadersOptions } from './headers.options.js';
import type { PolicyLayer } from './policy-headers.js';

/**
 * Sets the response headers of a route. `@SecurityHeaders()`, `@ContentSecurityPolicy()` and `@NoStore()` bind it.
 * @example
 * class MyInterceptor extends SecurityHeadersInterceptor {} // extras: { provide: SecurityHeadersInterceptor, useClass: MyInterceptor }
 */
@Injectable()
export class SecurityHeadersInterceptor implements NestInterceptor {
  readonly #templates: RouteMemo<HeaderTemplate>;

  constructor(
    @Inject(HEADER_SETTINGS) private readonly settings: HeaderSettings,
    private readonly reflector: Reflector,
  ) {
    this.#templates = new RouteMemo((controller, handler) => this.#compile([controller, handler]));
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() === 'http') {
      const state = requestState(context.switchToHttp().getResponse());
      if (state !== undefined) state.template = this.#templates.get(context.getClass(), context.getHandler());
    }
    return next.handle();
  }

  #compile(targets: readonly unknown[]): HeaderTemplate {
    const read = <T>(key: string): (T | undefined)[] =>
      targets.map(target => this.reflector.get<T | undefined>(key, target as never));
    let { input } = this.settings;
    const layers: PolicyLayer[] = [];
    const policies = read<SecurityHeadersOptions['contentSecurityPolicy']>(CONTENT_SECURITY_POLICY_KEY);
    for (const [index, over] of read<SecurityHeadersOptions>(SECURITY_HEADERS_KEY).entries()) {
      if (over !== undefined) input = layHeaders(input, over);
      // Over a policy of the class; without one, `input` says it.
      if (over?.framing !== undefined && layers.length > 0) layers.push({ framing: over.framing });
      if (policies[index] !== undefined) layers.push({ policy: policies[index] });
    }
    const caching = read<RouteCaching>(NO_STORE_KEY).findLast(value => value !== undefined);
    return compileHeaderTemplate(templateParts({ ...this.settings, input }, caching, layers));
  }
}
