import type { IncomingMessage } from 'node:http';

/** Who calls: an identity that was verified, never one that was only claimed. One object a request; nothing of it is shared. */
export interface Agent {
  /** Stable and unique over all kinds of credentials: limits, audit lines and events name the agent by it. */
  readonly id: string;
  /** How it proved itself. */
  readonly kind: 'api-key' | 'token' | 'custom';
  readonly scopes: readonly string[];
  /** The name of its limits in `rateLimit.tiers`. */
  readonly tier?: string | undefined;
  readonly tenant?: string | undefined;
  /** The tools that it may call, `read_*` patterns among them; `undefined` for no list of its own. */
  readonly tools?: readonly string[] | undefined;
  /** What else its credential says. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Whether a request may be somebody other than its address: it carries what an agent could be verified by. Asked before routing,
 * so it must be quick, and true when in doubt.
 */
export type MayCarryAgent = (raw: IncomingMessage) => boolean;

export const MAY_CARRY_AGENT = Symbol('agent-security:may-carry-agent');
