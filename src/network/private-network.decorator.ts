import { applyDecorators, UseGuards } from '@nestjs/common';
import { PrivateNetworkGuard } from './private-network.guard.js';

/**
 * Lets a controller or a handler be called from this machine and from private networks alone (RFC 1918, fc00::/7, link-local); anybody
 * else gets 403. The address is the client's, read through `trustProxy`. A peer that is not named there and sends a forwarding header
 * (`X-Forwarded-For`, `Forwarded`, `X-Real-IP`, `Via` and their like) gets 403 too: it may speak for a client of any network.
 * @example
 * @PrivateNetworkOnly()
 */
export function PrivateNetworkOnly(): ClassDecorator & MethodDecorator {
  return applyDecorators(UseGuards(PrivateNetworkGuard)) as ClassDecorator & MethodDecorator;
}
