import { applyDecorators, HttpCode, Post, SetMetadata } from '@nestjs/common';
import { readVerb, VERB_KEY } from './check-verb.js';

/** Where Nest's Fastify adapter looks for the constraints of a route (`@RouteConstraints()`). */
const FASTIFY_CONSTRAINTS = '__fastify_route_constraints__';
/** Where Nest keeps what `@HttpCode()` says. */
const HTTP_CODE = '__httpCode__';

/**
 * Handles `POST` with `X-HTTP-Method-Override: <verb>` on a path; other verbs and a plain `@Post()` may have the same path. It answers with
 * 200 unless `@HttpCode()` says otherwise.
 * @throws AgentSecurityConfigError when the class is defined, for a method that HTTP knows or what is no verb
 * @example
 * @Verb('SUMMARIZE', ':id')
 * summarize(@Param('id') id: string) {}
 */
export function Verb(verb: string, path?: string | string[]): MethodDecorator {
  const name = readVerb('@Verb()', verb);
  return applyDecorators(
    SetMetadata(VERB_KEY, name),
    SetMetadata(FASTIFY_CONSTRAINTS, { verb: name }),
    Post(path),
    ((target: object, key: string | symbol, descriptor: PropertyDescriptor) => {
      if (Reflect.getMetadata(HTTP_CODE, descriptor.value as object) === undefined)
        HttpCode(200)(target, key, descriptor);
    }) as MethodDecorator,
  );
}
