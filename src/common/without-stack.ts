/**
 * Creates an error without its stack: nobody reads where a request was rejected, collecting the stack takes longer than the decision, and
 * rejections come in floods.
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
