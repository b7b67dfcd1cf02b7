import type { ConfigErrorCode } from './config-error-codes.js';

export { CONFIG_ERROR_CODES, type ConfigErrorCode } from './config-error-codes.js';

/**
 * A configuration error, thrown at start-up or when a class is decorated. The message names the option (or the environment variable), the
 * received value and the remedy; `code` is stable and documented in docs/reference/errors.md.
 * @example
 * await expect(NestFactory.create(AppModule, { abortOnError: false })).rejects.toMatchObject({ code: 'ASEC_HOST_SCHEME' });
 */
export class AgentSecurityConfigError extends Error {
  override readonly name = 'AgentSecurityConfigError';

  constructor(
    readonly code: ConfigErrorCode,
    readonly option: string,
    problem: string,
    /** What to do about it, as the message says it. */
    readonly remedy: string,
    /** The rejected value, as the message shows it. A value that may be a secret is described and not shown. */
    readonly received?: string,
  ) {
    super(`${option} ${problem}. ${remedy} [${code}]`);
  }
}
