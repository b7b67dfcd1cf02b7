import type { Agent } from '../common/agent.js';
import type { Rejection } from '../common/problem.js';
import type { Tool } from './tool.js';
import { bearerChallenge } from '../identity/credential.js';

/**
 * A call of a tool, whatever its transport.
 * @example
 * const call: ToolCall = { tool: 'delete_user', agent, address: '192.0.2.1' };
 */
export interface ToolCall {
  readonly tool: string;
  /** The verified agent; `undefined` without a credential. */
  readonly agent: Agent | undefined;
  /** The client's address, in its one spelling. */
  readonly address: string;
  readonly requestId?: string | undefined;
}

/**
 * Why a call of a tool was rejected.
 * @example
 * const reason: ToolRejection = 'scope-missing';
 */
export type ToolRejection =
  'agent-required' | 'not-listed' | 'scope-missing' | 'over-limit' | 'store-failing';

/**
 * The decision on a call of a tool, with the response to a denied one.
 * @example
 * const decision: ToolDecision = await toolPolicy.authorize(call);
 * if (!decision.allowed) return decision.problem;
 */
export type ToolDecision =
  | {
      readonly allowed: true;
      readonly tool: Tool;
      /** The rate-limit headers of the agent's quota: name and value in turn. */
      readonly headers: readonly string[];
    }
  | ({ readonly allowed: false; readonly tool: Tool; readonly reason: ToolRejection } & Rejection);

/* Rejections of calls for their identity (RFC 6750 section 3), where the module itself verifies no credentials. */

/** The rejections of the authenticator, so that an API has one challenge. */
export interface IdentityRejections {
  readonly missing: Rejection;
  insufficientScope(all: readonly string[], any: readonly string[]): Rejection;
}

export const PLAIN_REJECTIONS: IdentityRejections = {
  missing: {
    problem: { status: 401, code: 'credential_missing', detail: 'This tool needs a verified agent.' },
    headers: ['WWW-Authenticate', bearerChallenge()],
  },
  insufficientScope: scopes => ({
    problem: {
      status: 403,
      code: 'insufficient_scope',
      detail: 'The credential does not have the scopes that this tool needs.',
      members: { required_scopes: scopes },
    },
    headers: [
      'WWW-Authenticate',
      bearerChallenge([
        ['error', 'insufficient_scope'],
        ['scope', scopes.join(' ')],
      ]),
    ],
  }),
};

export const NOT_ALLOWED: Rejection = {
  problem: { status: 403, code: 'tool_not_allowed', detail: 'The agent may not call this tool.' },
  headers: [],
};
