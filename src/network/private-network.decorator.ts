import { SetMetadata } from '@nestjs/common';

export const PRIVATE_NETWORK_KEY = 'agent-security:private-network';

/**
 * Lets a controller or a handler be called from this machine and from private networks alone (RFC 1918, fc00::/7, link-local); anybody
 * else gets 403. The address is the client's, read through `trustProxy`: behind a proxy that is not named there, it is the proxy's.
 */
export function PrivateNetworkOnly(): ClassDecorator & MethodDecorator {
  return SetMetadata(PRIVATE_NETWORK_KEY, true);
}
