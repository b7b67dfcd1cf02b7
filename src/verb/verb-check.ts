import type { EdgeCheck } from '../common/edge-check.js';
import { checkVerb } from './check-verb.js';

export const VERB_CHECK = Symbol('agent-security:verb-check');

/** Writes the verb of a POST to the state, and rejects verbs that no `@Verb()` declares. */
export const createVerbCheck = (verbs: ReadonlySet<string>): EdgeCheck => ({
  check: (raw, state) => {
    const decision = checkVerb(raw, verbs);
    if (decision.kind === 'verb') state.verb = decision.verb;
    return decision.kind === 'rejected' ? decision.problem : undefined;
  },
});
