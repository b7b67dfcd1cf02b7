import type { ConfigErrorCode } from './config-error-codes.js';

export { CONFIG_ERROR_CODES, type ConfigErrorCode } from './config-error-codes.js';

/**
 * A configuration that stops the start-up. The message names the option (or the environment variable), what was
 * received, and the remedy; `code` is stable and documented in docs/reference/errors.md.
 */
export class AgentSecurityConfigError extends Error {
  override readonly name = 'AgentSecurityConfigError';

  constructor(
    readonly code: ConfigErrorCode,
    readonly option: string,
    problem: string,
    remedy: string,
    /** The value that was rejected, as the message shows it. What may be a secret is described and not repeated. */
    readonly received?: string,
  ) {
    super(`${option} ${problem}. ${remedy} [${code}]`);
  }
}
