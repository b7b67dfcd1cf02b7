import type { MayCarryAgent } from '../common/agent.js';
import type { ResolvedAuth } from './auth.options.js';

/** An app's own `identify` may look anywhere; everything else reads two headers. */
export function mayCarryAgent(auth: ResolvedAuth | false): MayCarryAgent {
  if (auth === false) return () => false;
  if (auth.identify !== undefined) return () => true;
  return ({ headers }) => headers.authorization !== undefined || headers['x-api-key'] !== undefined;
}
