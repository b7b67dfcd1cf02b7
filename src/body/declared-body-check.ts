import type { EdgeCheck } from '../common/edge-check.js';
import type { ResolvedBody } from './body.options.js';
import { checkDeclaredBody } from './check-body.js';

export const DECLARED_BODY_CHECK = Symbol('agent-security:declared-body-check');

/** Rejects a body whose declared length is too large, before any of it is read. */
export const createDeclaredBodyCheck = ({ maxBytes }: ResolvedBody): EdgeCheck => ({
  check: ({ method = '', headers }) => checkDeclaredBody(method, headers, maxBytes),
});
