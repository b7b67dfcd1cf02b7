/* Reads a body before routing, whose parsers have not run. */
import type { IncomingMessage } from 'node:http';

type BodyReading =
  | { readonly kind: 'read'; readonly bytes: Buffer }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'too-slow' }
  /** The client left: no answer reaches it. */
  | { readonly kind: 'gone' };

interface ReadBodyOptions {
  readonly maxBytes: number;
  /** @default the server's own limits alone */
  readonly timeoutMs?: number;
  /**
   * Puts the body back into the stream, in one piece, for the parser that comes later. Node emits 'end' only once a stream is empty, so
   * that parser finds the body and then its end. An empty body has nothing to put back: the caller must answer the request itself.
   */
  readonly putBack?: boolean;
}

/** `readableEnded` says that 'end' was emitted; this says that the last byte has come, which is when the body can still be put back. */
const hasEnded = (raw: IncomingMessage): boolean =>
  (raw as IncomingMessage & { _readableState: { ended: boolean } })._readableState.ended;

export function readBody(
  raw: IncomingMessage,
  { maxBytes, timeoutMs, putBack = false }: ReadBodyOptions,
): Promise<BodyReading> {
  if (Number(raw.headers['content-length'] ?? 0) > maxBytes) return Promise.resolve({ kind: 'too-large' });
  if (raw.destroyed) return Promise.resolve({ kind: 'gone' });
  return new Promise(resolve => {
    const parts: Buffer[] = [];
    let length = 0;
    const settle = (reading: BodyReading): void => {
      clearTimeout(timer);
      raw.off('readable', onReadable).off('end', onEnd).off('close', onGone).off('error', onGone);
      resolve(reading);
    };
    const onGone = (): void => settle({ kind: 'gone' });
    // An empty stream may end without 'readable'.
    const onEnd = (): void => settle({ kind: 'read', bytes: Buffer.concat(parts, length) });
    const onReadable = (): void => {
      let part: Buffer | null;
      while ((part = raw.read() as Buffer | null) !== null) {
        length += part.length;
        if (length > maxBytes) return settle({ kind: 'too-large' });
        parts.push(part);
      }
      if (!hasEnded(raw)) return;
      const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
      // In the same turn: Node would emit 'end' of the empty stream in the next.
      if (putBack && length > 0) raw.unshift(bytes);
      settle({ kind: 'read', bytes });
    };
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => settle({ kind: 'too-slow' }), timeoutMs);
    raw.on('readable', onReadable).on('end', onEnd).on('close', onGone).on('error', onGone);
  });
}
