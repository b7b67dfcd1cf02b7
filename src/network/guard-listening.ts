import type { AddressInfo, Server } from 'node:net';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { mayListenOn, type Network } from './address-range.js';

/**
 * Stops a server that listens where `network` says that nobody is to reach it. Only what it is bound to tells; the name that was given
 * to `listen()` may resolve to anything. A Unix socket is of this machine.
 */
export function guardListening(server: Server, network: Network): void {
  if (network === 'any') return;
  server.prependListener('listening', () => {
    const bound = server.address();
    if (bound === null || typeof bound === 'string' || mayListenOn(bound.address, network)) return;
    server.emit('error', listeningError(bound, network));
    // Behind the other listeners of this event, which ask for the address; nobody has been let in by then.
    process.nextTick(() => server.close());
  });
}

function listeningError({ address }: AddressInfo, network: Network): AgentSecurityConfigError {
  return new AgentSecurityConfigError(
    'ASEC_MCP_NETWORK',
    'mcp.network',
    `is ${JSON.stringify(network)}, and the server listens on ${address}`,
    "Listen on the loopback address: app.listen(port, '127.0.0.1'). Or let mcp.network say who may come.",
    address,
  );
}
