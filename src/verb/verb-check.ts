import type { EdgeCheck } from '../common/edge-check.js';
import { checkVerb } from './check-verb.js';

export const VERB_CHECK = Symbol('agent-security:verb-check');

/** Notes which verb of `@Verb()` a POST stands for, and rejects verbs that the app does not have. */
export const createVerbCheck = (verbs: ReadonlySet<string>): EdgeCheck => ({
  check: (raw, state) => {
    const decision = checkVerb(raw, verbs);
    if (decision.kind === 'verb') state.verb = decision.verb;
    return decision.kind === 'rejected' ? decision.problem : undefined;
  },
});
