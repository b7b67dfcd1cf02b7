import { applyDecorators, HttpCode, Post, SetMetadata } from '@nestjs/common';
import { readVerb, VERB_KEY } from './check-verb.js';

/** The metadata key of Nest's `@RouteConstraints()` for Fastify. */
const FASTIFY_CONSTRAINTS = '__fastify_route_constraints__';
/** The metadata key of Nest's `@HttpCode()`. */
const HTTP_CODE = '__httpCode__';

/**
 * Routes `POST` with `X-HTTP-Method-Override: <verb>` to a handler. Other verbs and a plain `@Post()` may have the same
 * path. The status is 200 unless `@HttpCode()` sets another.
 * @throws AgentSecurityConfigError when the class is defined, for a method of HTTP or an invalid verb
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
