import { applyDecorators, SetMetadata, UseInterceptors } from '@nestjs/common';
import { readArgument, readBoolean, readGiven, readObject, receivedError } from '../common/read-options.js';
import type {
  ContentSecurityPolicyDirectives,
  ContentSecurityPolicyOptions,
} from './content-security-policy.js';
import {
  CONTENT_SECURITY_POLICY_KEY,
  NO_STORE_KEY,
  type RouteCaching,
  SECURITY_HEADERS_KEY,
} from './header-settings.js';
import { readHeadersInput, resolveHeaders, type SecurityHeadersOptions } from './headers.options.js';
import { SecurityHeadersInterceptor } from './security-headers.interceptor.js';

type Decorator = ClassDecorator & MethodDecorator;

// An interceptor takes a third of a small request's time on Fastify, so only routes with own headers have it.
const withHeaders = (key: string, value: unknown): Decorator =>
  applyDecorators(SetMetadata(key, value), UseInterceptors(SecurityHeadersInterceptor));

/**
 * Sets response headers of a controller or a handler. Each option replaces that of the module's `headers`; a handler's
 * options replace those of its class.
 * @throws AgentSecurityConfigError when the class is defined, for an invalid option
 * @example
 * @Get('widget')
 * @SecurityHeaders({ framing: 'sameorigin' })
 * widget() {}
 */
export function SecurityHeaders(options: SecurityHeadersOptions): Decorator {
  const name = '@SecurityHeaders()';
  const given: unknown = readGiven(name, options);
  const input = given === false ? {} : readHeadersInput(name, given);
  if (Object.keys(input).length > 0) return withHeaders(SECURITY_HEADERS_KEY, input);
  const remedy = "Write for example { framing: 'sameorigin' }.";
  throw receivedError('ASEC_OPTIONS_MISSING', name, 'must name a header', remedy, given);
}

/**
 * Changes the Content-Security-Policy of a controller or a handler, for HTML and other responses: directives
 * (`{ scriptSrc: "'self'" }`) or `{ directives, reportOnly, useDefaults }`. Directives that it does not name stay as the
 * module, or for a handler its class, sets them. `frameAncestors` changes `X-Frame-Options` too.
 * @throws AgentSecurityConfigError when the class is defined, for an invalid directive
 * @example
 * @Get('page')
 * @ContentSecurityPolicy({ defaultSrc: "'self'" })
 * page() {}
 */
export function ContentSecurityPolicy(
  policy: false | ContentSecurityPolicyDirectives | ContentSecurityPolicyOptions,
): Decorator {
  const given = readGiven('@ContentSecurityPolicy()', policy);
  resolveHeaders('@ContentSecurityPolicy()', { contentSecurityPolicy: given });
  return withHeaders(CONTENT_SECURITY_POLICY_KEY, policy);
}

/**
 * Sends `Cache-Control: no-store`, even if the handler sets another value. `@NoStore(false)` leaves Cache-Control to
 * the handler, except on errors. `@NoStore({ errors: false })` leaves it to the handler on errors too: a shared cache
 * may then store an error.
 * @example
 * @Get('me')
 * @NoStore()
 * me() {}
 */
export function NoStore(...given: [enabled?: boolean | { readonly errors: false }]): Decorator {
  return withHeaders(NO_STORE_KEY, readCaching(readArgument('@NoStore()', given, true)));
}

function readCaching(enabled: unknown): RouteCaching {
  if (typeof enabled !== 'object') return readBoolean('@NoStore()', enabled, true) ? 'no-store' : 'own';
  const { errors } = readObject('@NoStore()', enabled, ['errors']);
  if (errors === false) return 'own-on-errors';
  throw receivedError(
    'ASEC_OPTION_TYPE',
    '@NoStore().errors',
    'must be false',
    'Write @NoStore(false) to leave Cache-Control of successful responses to the handler.',
    errors,
  );
}
