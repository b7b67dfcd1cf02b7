import { AgentSecurityConfigError } from '../common/config-error.js';
import { show } from '../common/read-options.js';

export function headerError(option: string, received: unknown, problem: string): AgentSecurityConfigError {
  return new AgentSecurityConfigError(
    'ASEC_HEADER_VALUE',
    option,
    `${problem}, received ${show(received)}`,
    'See docs/options.md for the forms that it takes.',
    received,
  );
}
