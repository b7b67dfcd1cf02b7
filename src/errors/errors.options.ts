import {
  boolean,
  expandShort,
  optional,
  type OptionTable,
  readTable,
  type Resolved,
} from '../common/option-table.js';
import { receivedError } from '../common/read-options.js';

/**
 * Error responses as problem+json.
 * @example
 * AgentSecurityModule.forRoot({ errors: { typeBase: 'https://api.example.com/problems/' } })
 */
export interface ErrorsOptions {
  /**
   * The prefix of `type`: a URI or a path, to which the problem's code is appended (`https://api.example.com/problems/` gives
   * `https://api.example.com/problems/not_found`). A 429 keeps its registered type.
   * @default none: `type` is `about:blank`
   * @see RFC 9457 section 3.1.1
   */
  typeBase?: string;
  /**
   * Whether responses contain the messages and members of 4xx exceptions, and the body of a failed health check of `@nestjs/terminus`.
   * Those of other 5xx exceptions are never sent. The log has them, with the request ID. `retry_after_seconds` of your own 429 or 503
   * is always sent, as `Retry-After` too. A status below 400 is answered as Nest answers it.
   * @default true
   */
  exposeMessages?: boolean;
}

export const RESOLVED_ERRORS = Symbol('agent-security:resolved-errors');

const TABLE = {
  typeBase: optional(readTypeBase),
  exposeMessages: boolean(true),
} satisfies OptionTable<ErrorsOptions>;

export type ResolvedErrors = Resolved<typeof TABLE>;

export function resolveErrors(input: unknown): ResolvedErrors | false {
  return input === false ? false : readTable('errors', expandShort(input), TABLE);
}

function readTypeBase(option: string, value: unknown): string {
  if (typeof value === 'string' && /^(?:[a-z][a-z0-9+.-]*:|\/)[\x21-\x7e]*$/i.test(value)) return value;
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be a URI',
    'Write for example "https://api.example.com/problems/".',
    value,
  );
}
