export const IMPACTS = ['low', 'medium', 'high'] as const;
/**
 * The possible damage of a tool call: `'high'` for calls that cannot be undone, cost money, or change data of other users.
 * @example
 * @AgentTool('refund', { impact: 'high' })
 */
export type Impact = (typeof IMPACTS)[number];
