import { randomUUID } from 'node:crypto';
import type { ResolvedRequestId } from './request-id.options.js';

/** What may stand in a header and in a log line whatever a custom pattern says: it stops forged lines and headers. */
const SAFE = /^[\x21-\x7e]{1,128}$/;

/** The incoming ID if it is acceptable and came once, else a new one. The raw value goes nowhere. */
export function chooseRequestId(incoming: string | string[] | undefined, options: ResolvedRequestId): string {
  if (
    typeof incoming === 'string' &&
    options.accept !== undefined &&
    SAFE.test(incoming) &&
    options.accept.test(incoming)
  ) {
    return incoming;
  }
  const generated = options.generate();
  return typeof generated === 'string' && SAFE.test(generated) ? generated : randomUUID();
}
