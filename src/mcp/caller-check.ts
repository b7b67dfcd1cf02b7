/* Who calls an MCP endpoint, and what a client without a credential may do where `mcp.publicTools` names tools. */
import type { Authenticator } from '../auth/authenticator.js';
import type { Rejection } from '../common/rejection.js';
import type { RequestState } from '../common/request-state.js';
import type { NameSet } from '../tools/name-pattern.js';
import type { McpExchange } from './mcp-exchange.js';
import { type McpMessage, toolOf, TOOLS_CALL, TOOLS_LIST } from './read-messages.js';

/** What a client without a credential may send where some tools are public, beside calls of those. */
const PUBLIC_METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'notifications/initialized',
  'notifications/cancelled',
  'ping',
  'server/discover',
  TOOLS_LIST,
]);

export class CallerCheck {
  constructor(
    /** `undefined` where `auth` is off. */
    private readonly authenticator: Authenticator | undefined,
    private readonly publicTools: NameSet | undefined,
  ) {}

  /** Whether callers have verified identities at all. */
  get isOn(): boolean {
    return this.authenticator !== undefined;
  }

  /** Finds the agent. A request without a credential passes where there are public tools; one with a bad credential never does. */
  async identify({ raw, state }: McpExchange): Promise<Rejection | undefined> {
    const found = await this.authenticator?.authenticate(raw, state);
    if (found === undefined || found.kind === 'agent') return undefined;
    return found.kind === 'anonymous' && this.publicTools !== undefined ? undefined : found.rejection;
  }

  /** The rejection of a request that needs an agent and has none. */
  requireAgent({ agent }: RequestState): Rejection | undefined {
    return agent === undefined ? this.authenticator?.rejections.missing : undefined;
  }

  requireAgentForTool(state: RequestState, tool: string): Rejection | undefined {
    return this.publicTools?.has(tool) ? undefined : this.requireAgent(state);
  }

  requireAgentForMessages(state: RequestState, messages: readonly McpMessage[]): Rejection | undefined {
    const isPublic = messages.every(message =>
      message.method === TOOLS_CALL
        ? this.publicTools?.has(toolOf(message) ?? '')
        : PUBLIC_METHODS.has(message.method),
    );
    return isPublic ? undefined : this.requireAgent(state);
  }
}
