import { AgentSecurityConfigError } from '../common/config-error.js';
import { receivedError } from '../common/read-options.js';

export function headerError(option: string, received: unknown, problem: string): AgentSecurityConfigError {
  return receivedError(
    'ASEC_HEADER_VALUE',
    option,
    problem,
    'See docs/reference/options.md for the forms that it takes.',
    received,
  );
}
