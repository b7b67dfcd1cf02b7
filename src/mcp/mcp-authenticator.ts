import type { IncomingMessage } from 'node:http';
import type { Authenticator } from '../auth/authenticator.js';
import type { Rejection } from '../common/rejection.js';
import type { RequestState } from '../common/request-state.js';
import type { McpIdentity, PortRejection } from './mcp-ports.js';

/** Who calls an MCP endpoint, by the credentials of every other request. */
export class McpAuthenticator implements McpIdentity {
  constructor(private readonly authenticator: Authenticator) {}

  async identify(
    raw: IncomingMessage,
    state: RequestState,
    optional: boolean,
  ): Promise<PortRejection | undefined> {
    const found = await this.authenticator.authenticate(raw, state);
    if (found.kind === 'agent' || (found.kind === 'anonymous' && optional)) return undefined;
    return toPort(found.rejection);
  }

  challenge(): PortRejection {
    return toPort(this.authenticator.rejections.missing);
  }
}

const toPort = ({ problem, headers }: Rejection): PortRejection => ({ fields: problem, headers });
