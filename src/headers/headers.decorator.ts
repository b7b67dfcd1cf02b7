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

// Interceptors cost a third of a small request's time on Fastify, so only the routes that need one get it.
const withHeaders = (key: string, value: unknown): Decorator =>
  applyDecorators(SetMetadata(key, value), UseInterceptors(SecurityHeadersInterceptor));

/**
 * Response headers of one controller or handler, laid over the module's `headers` option by option. A handler's are laid
 * over its class's.
 * @throws AgentSecurityConfigError when the class is defined, for an option that is not one
 * @example
 * @SecurityHeaders({ xFrameOptions: { action: 'sameorigin' } })
 */
export function SecurityHeaders(options: SecurityHeadersOptions): Decorator {
  const input = readHeadersInput('@SecurityHeaders()', readGiven('@SecurityHeaders()', options));
  if (input === false || Object.keys(input).length === 0) {
    throw receivedError(
      'ASEC_OPTIONS_MISSING',
      '@SecurityHeaders()',
      'must name a header',
      'Write for example { xFrameOptions: false }.',
      input,
    );
  }
  resolveHeaders('@SecurityHeaders()', input);
  return withHeaders(SECURITY_HEADERS_KEY, input);
}

/**
 * The Content-Security-Policy of one controller or handler, for HTML and for data: directives (`{ scriptSrc: "'self'" }`) or
 * `{ directives, reportOnly, useDefaults }`. Directives that are not named keep their strict defaults.
 * @throws AgentSecurityConfigError when the class is defined, for a directive that is not one
 * @example
 * @ContentSecurityPolicy({ scriptSrc: "'self'" })
 */
export function ContentSecurityPolicy(
  policy: false | ContentSecurityPolicyDirectives | ContentSecurityPolicyOptions,
): Decorator {
  const given = readGiven('@ContentSecurityPolicy()', policy);
  resolveHeaders('@ContentSecurityPolicy()', { contentSecurityPolicy: given });
  return withHeaders(CONTENT_SECURITY_POLICY_KEY, policy);
}

/**
 * `no-store` whatever the handler says itself. `@NoStore(false)` leaves Cache-Control to the handler; its errors keep `no-store`.
 * `@NoStore({ errors: false })` leaves it to the handler on its errors too: a shared cache may then keep an error.
 * @example
 * @NoStore(false)
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
    'Write @NoStore(false) to leave the answers alone that are no errors.',
    errors,
  );
}
