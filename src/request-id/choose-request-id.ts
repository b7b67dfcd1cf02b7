import { type ResolvedRequestId, SAFE_ID } from './request-id.options.js';

/** Returns the incoming ID if it is accepted and was sent once, else a new one. A rejected ID is not used anywhere. */
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
