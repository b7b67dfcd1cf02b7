/**
 * Creates an error without a stack trace. Collecting the trace takes longer than the decision to reject a request, and
 * an attacker can cause many rejections.
 */
export function withoutStack<E extends Error>(create: () => E): E {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return create();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
