import { METHODS } from 'node:http';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { words } from '../common/option-table.js';
import { receivedError } from '../common/read-options.js';

export interface ResolvedMethods {
  readonly names: ReadonlySet<string>;
  /** The value of `Allow`. */
  readonly allow: string;
}

const NEVER = new Set(['TRACE', 'CONNECT']);

const readMethods = words(readMethod);

/** The allowed methods; `undefined` for every method but TRACE. */
export function resolveMethods(input: unknown): ResolvedMethods | undefined {
  if (input === undefined) return undefined;
  const listed = readMethods('methods', input);
  if (listed.length === 0) {
    throw new AgentSecurityConfigError(
      'ASEC_METHOD_NAME',
      'methods',
      'is an empty list, so every request would be rejected',
      'List at least one method, or leave the option out.',
    );
  }
  // HEAD is GET without its content (RFC 9110 section 9.3.2), and frameworks route it to the same handler.
  const names = new Set(listed.flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method])));
  return { names, allow: [...names].join(', ') };
}

function readMethod(option: string, value: unknown): string {
  const method = value as string;
  if (METHODS.includes(method) && !NEVER.has(method)) return method;
  throw receivedError(
    'ASEC_METHOD_NAME',
    option,
    'must be a method that Node knows',
    'Write it in upper case, such as "PATCH"; TRACE and CONNECT are never served. A verb of your own is a @Verb().',
    method,
  );
}
