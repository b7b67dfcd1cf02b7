import { type ResolvedRequestId, SAFE_ID } from './request-id.options.js';

/** The incoming ID if it is acceptable and came once, else a new one. The raw value goes nowhere. */
export function chooseRequestId(incoming: string | string[] | undefined, options: ResolvedRequestId): string {
  const { accept } = options;
  if (
    typeof incoming === 'string' &&
    accept !== undefined &&
    SAFE_ID.test(incoming) &&
    accept.test(incoming)
  ) {
    return incoming;
  }
  return options.generate();
}
