import type { IncomingMessage } from 'node:http';
import type { Authenticator } from '../auth/authenticator.js';
import type { Refusal } from '../auth/refusal.js';
import type { RequestState } from '../common/request-state.js';
import type { McpIdentity, PortRefusal } from './mcp-ports.js';

/** Who calls an MCP endpoint, by the credentials of every other request. */
export class McpAuthenticator implements McpIdentity {
  constructor(private readonly authenticator: Authenticator) {}

  async identify(
    raw: IncomingMessage,
    state: RequestState,
    optional: boolean,
  ): Promise<PortRefusal | undefined> {
    const found = await this.authenticator.authenticate(raw, state);
    if (found.kind === 'agent' || (found.kind === 'anonymous' && optional)) return undefined;
    return toPort(found.refusal);
  }

  challenge(): PortRefusal {
    return toPort(this.authenticator.refusals.missing);
  }
}

const toPort = ({ problem, headers }: Refusal): PortRefusal => ({ fields: problem, headers });
