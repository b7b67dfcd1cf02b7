import type { Agent } from '../common/agent.js';
import type { Rejection } from '../common/rejection.js';
import type { Tool } from './tool.js';

/** A call of a tool, whatever its transport. */
export interface ToolCall {
  readonly tool: string;
  /** The verified agent; `undefined` without a credential. */
  readonly agent: Agent | undefined;
  /** The client's address, in its one spelling. */
  readonly address: string;
  readonly requestId?: string | undefined;
}

export type ToolRejection =
  'agent-required' | 'not-listed' | 'scope-missing' | 'over-limit' | 'store-failing';

export type ToolDecision =
  | {
      readonly allowed: true;
      readonly tool: Tool;
      /** The rate-limit headers of the agent's quota: name and value in turn. */
      readonly headers: readonly string[];
    }
  | ({ readonly allowed: false; readonly tool: Tool; readonly reason: ToolRejection } & Rejection);
