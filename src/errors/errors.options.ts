import { readBoolean, readObject, receivedError } from '../common/read-options.js';

export interface ErrorsOptions {
  /**
   * The URI in front of each problem's code in `type`, such as `https://api.example.com/problems/`. A 429 keeps its registered type.
   * @default none: `about:blank`
   * @see RFC 9457 section 3.1.1
   */
  typeBase?: string;
  /**
   * Whether the messages and details of 4xx exceptions reach the client. Those of 5xx never do.
   * @default true
   */
  exposeMessages?: boolean;
}

export interface ResolvedErrors {
  readonly typeBase: string | undefined;
  readonly exposeMessages: boolean;
}

export const RESOLVED_ERRORS = Symbol('agent-security:errors');

export function resolveErrors(input: unknown): ResolvedErrors | false {
  if (input === false) return false;
  const options = readObject('errors', input, ['typeBase', 'exposeMessages']);
  const { typeBase } = options;
  if (
    typeBase !== undefined &&
    (typeof typeBase !== 'string' || !/^(?:[a-z][a-z0-9+.-]*:|\/)[\x21-\x7e]*$/i.test(typeBase))
  ) {
    throw receivedError(
      'ASEC_OPTION_TYPE',
      'errors.typeBase',
      'must be a URI',
      'Write for example "https://api.example.com/problems/".',
      typeBase,
    );
  }
  return {
    typeBase: typeBase as string | undefined,
    exposeMessages: readBoolean('errors.exposeMessages', options.exposeMessages, true),
  };
}
