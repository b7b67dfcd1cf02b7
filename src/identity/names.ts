/* The names of agents and scopes: one definition for stores, tokens, decorators and tool policies. */

/** Visible ASCII: an agent's ID appears in logs, events and quota keys. */
const AGENT_ID = /^[\x21-\x7e]{1,256}$/;

/** RFC 6749 section 3.3: visible ASCII without quotes and backslashes. It appears between quotes in a header. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

export function isAgentId(value: unknown): value is string {
  return typeof value === 'string' && AGENT_ID.test(value);
}

export function isScope(value: unknown): value is string {
  return typeof value === 'string' && SCOPE.test(value);
}
