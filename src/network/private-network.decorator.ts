import { UseGuards } from '@nestjs/common';
import { PrivateNetworkGuard } from './private-network.guard.js';

/**
 * Allows requests to a controller or a handler from this machine and from private networks only (RFC 1918, fc00::/7,
 * link-local); other requests get 403 `network_not_allowed`. The client's address is read through `trustProxy`. A peer
 * that is no trusted proxy and sends a forwarded header (`X-Forwarded-For`, `Forwarded`, `X-Real-IP`, `Via` and
 * similar) gets 403 too: its client may be in any network.
 * @example
 * @Get('metrics')
 * @PrivateNetworkOnly()
 * metrics() {}
 */
export function PrivateNetworkOnly(): ClassDecorator & MethodDecorator {
  return UseGuards(PrivateNetworkGuard);
}
