import type { EdgeCheck } from '../common/edge-check.js';
import type { ResolvedMethods } from './methods.options.js';

export const METHOD_CHECK = Symbol('agent-security:method-check');

/** Rejects methods that the option `methods` leaves out. Preflights are answered earlier. */
export const createMethodCheck = ({ names, allow }: ResolvedMethods): EdgeCheck => ({
  check: ({ method = '' }) =>
    names.has(method)
      ? undefined
      : { status: 405, code: 'method_not_allowed', detail: 'The method is not allowed.', allow },
});
