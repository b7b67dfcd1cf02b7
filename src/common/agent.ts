import type { IncomingMessage } from 'node:http';

/**
 * The verified identity of a request. Each request gets an object of its own.
 * @example
 * summarize(@CurrentAgent() agent: Agent) { return this.documents.ofTenant(agent.tenant); }
 */
export interface Agent {
  /** Stable and unique over all kinds of credentials. Limits, audit records and events carry it. */
  readonly id: string;
  /** The kind of credential that was verified. */
  readonly kind: 'api-key' | 'token' | 'custom';
  readonly scopes: readonly string[];
  /** The agent's tier: its key in `rateLimit.tiers`. */
  readonly tier?: string | undefined;
  readonly tenant?: string | undefined;
  /** The tools that the agent may call, with patterns such as `read_*`; `undefined` for no list of its own. */
  readonly tools?: readonly string[] | undefined;
  /** Further claims of the credential. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Whether a request may carry a credential, so that its quota may be that of an agent and not that of its address.
 * Called before routing for every request, so it must be fast, and true when in doubt.
 */
export type MayCarryAgent = (raw: IncomingMessage) => boolean;

export const MAY_CARRY_AGENT = Symbol('agent-security:may-carry-agent');
