import { SetMetadata } from '@nestjs/common';
import { readCrossSiteOrigins } from './cross-site-origins.js';

/** The metadata key of `@AllowCrossSite()`. */
export const CROSS_SITE_KEY = 'agent-security:allow-cross-site';

/**
 * Lets pages of these origins send a POST to a handler that cross-site requests reach by design: a SAML response, `form_post` of "Sign in
 * with Apple", the return from a payment page. The pages cannot read the response, and preflights stay rejected. An origin is written as
 * in `cors.origins`; `'null'` covers pages that send no usable Origin, such as those under `Referrer-Policy: no-referrer`.
 *
 * Danger: the browser sends the user's cookies along. The handler must verify that the message itself is genuine: a signature, `state` or
 * a nonce. `['*']` lets every site call it.
 * @throws AgentSecurityConfigError when the class is defined, for an invalid origin; at start-up, for a path with a pattern, for a
 * wildcard over a public suffix, and for `'*'` or `'null'` on a path with parameters
 * @example
 * @Post('login/apple')
 * @AllowCrossSite(['https://appleid.apple.com'])
 * signIn(@Body() body: object) {}
 */
export function AllowCrossSite(origins: readonly string[]): MethodDecorator {
  return SetMetadata(CROSS_SITE_KEY, readCrossSiteOrigins('@AllowCrossSite()', origins));
}
