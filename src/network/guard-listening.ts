/* Stops a server that listens outside a network. */
import type { Server } from 'node:net';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { isWithin, type Network, rangeOf } from './check-network.js';

/**
 * Stops a server that listens on an address outside `network`. The bound address counts, since the name passed to
 * `listen()` may resolve to any address. A Unix domain socket belongs to this machine.
 */
export function guardListening(server: Server, network: Network): void {
  if (network === 'any') return;
  server.prependListener('listening', () => {
    const bound = server.address();
    if (bound === null || typeof bound === 'string' || mayListenOn(bound.address, network)) return;
    const error = new AgentSecurityConfigError(
      'ASEC_MCP_NETWORK',
      'mcp.network',
      `is ${JSON.stringify(network)}, and the server listens on ${bound.address}`,
      "Listen on the loopback address: app.listen(port, '127.0.0.1'). Or set mcp.network to the networks that may connect.",
      bound.address,
    );
    server.emit('error', error);
    // After the other listeners of this event, which read the address. No connection has been accepted yet.
    process.nextTick(() => server.close());
  });
}

/** `0.0.0.0` and `::` are all addresses of the machine: allowed for a private network, since each request is checked too. */
function mayListenOn(address: string, network: Exclude<Network, 'any'>): boolean {
  const range = rangeOf(address);
  return isWithin(range, network) || (network === 'private' && range === 'unspecified');
}
