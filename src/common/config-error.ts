/** Every code of a configuration error. `docs/errors.md` has an entry for each. */
export const CONFIG_ERROR_CODES = [
  'ASEC_OPTIONS_MISSING',
  'ASEC_OPTION_UNKNOWN',
  'ASEC_OPTION_TYPE',
  'ASEC_OPTION_RANGE',
  'ASEC_PATH_INVALID',
  'ASEC_HOST_SCHEME',
  'ASEC_HOST_INVALID',
  'ASEC_HOST_ANY',
  'ASEC_HOST_NONE',
  'ASEC_ORIGIN_INVALID',
  'ASEC_ORIGIN_WILDCARD',
  'ASEC_CORS_ANY_WITH_CREDENTIALS',
  'ASEC_CORS_HEADER',
  'ASEC_CORS_METHOD',
  'ASEC_HEADER_VALUE',
  'ASEC_CSP_DIRECTIVE',
  'ASEC_REQUEST_ID_HEADER',
  'ASEC_LIMIT_SYNTAX',
  'ASEC_LIMIT_RANGE',
  'ASEC_LIMIT_NAME',
  'ASEC_TOOL_NAME',
  'ASEC_TOOL_ALERT',
  'ASEC_TOOL_SCOPE',
  'ASEC_TOOL_TWICE',
  'ASEC_AUDIT_KEY',
  'ASEC_AUDIT_FILE',
  'ASEC_TRUST_ALL',
  'ASEC_TRUST_INVALID',
  'ASEC_METHOD_NAME',
  'ASEC_MODULE_TWICE',
  'ASEC_TOKEN_ALGORITHM',
  'ASEC_TOKEN_KEY',
  'ASEC_MCP_NETWORK',
  'ASEC_PROXY_SECRET',
  'ASEC_AUTH_NONE',
  'ASEC_AUTH_KEYS',
  'ASEC_AUTH_SECRET',
  'ASEC_AUTH_URL',
  'ASEC_AUTH_ROUTE',
] as const;

/** The code of a configuration error. @example const code: ConfigErrorCode = 'ASEC_OPTION_UNKNOWN'; */
export type ConfigErrorCode = (typeof CONFIG_ERROR_CODES)[number];

/**
 * A configuration error, thrown at start-up or when a class is decorated. The message names the option (or the environment variable), the
 * received value and the remedy; `code` is stable and documented in docs/errors.md.
 * @example
 * await expect(NestFactory.create(AppModule, { abortOnError: false })).rejects.toMatchObject({ code: 'ASEC_HOST_SCHEME' });
 */
export class AgentSecurityConfigError extends Error {
  override readonly name = 'AgentSecurityConfigError';

  constructor(
    readonly code: ConfigErrorCode,
    readonly option: string,
    problem: string,
    remedy: string,
    /** The rejected value, as the message shows it. A value that may be a secret is described and not shown. */
    readonly received?: string,
  ) {
    super(`${option} ${problem}. ${remedy} [${code}]`);
  }
}
