/** As W3C Trace Context level 1 section 3.2.2 has it; later versions may say more behind a further dash. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;

/** The trace ID of a `traceparent` header; `undefined` for an invalid one, an all-zero one, or several (which Node joins by a comma). */
export function readTraceId(header: unknown): string | undefined {
  if (typeof header !== 'string' || header.length > 512) return undefined;
  const match = TRACEPARENT.exec(header);
  if (match === null) return undefined;
  const [, version, traceId, parentId, more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  return /^0+$/.test(traceId!) || /^0+$/.test(parentId!) ? undefined : traceId;
}
