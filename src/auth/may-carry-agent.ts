import type { MayCarryAgent } from '../common/agent.js';
import type { ResolvedAuth } from './auth.options.js';

/** `auth.identify` may read any part of a request; all other credentials come in two headers. */
export function mayCarryAgent(auth: ResolvedAuth | false): MayCarryAgent {
  if (auth === false) return () => false;
  if (auth.identify !== undefined) return () => true;
  return ({ headers }) => headers.authorization !== undefined || headers['x-api-key'] !== undefined;
}
