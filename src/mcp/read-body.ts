/* Reads a request's body before routing, and puts it back as if nobody had. */
import type { IncomingMessage } from 'node:http';

export type BodyOutcome =
  | { readonly read: true; readonly bytes: Buffer }
  | { readonly read: false; readonly reason: 'too-large' | 'gone' };

/** `readableEnded` says that the end was told; this says that it has come, which is when the body can still be put back. */
const hasEnded = (raw: IncomingMessage): boolean =>
  (raw as IncomingMessage & { _readableState: { ended: boolean } })._readableState.ended;

/**
 * The whole body, put back into the stream in one piece: Node tells the end of a stream only once it is empty, so whoever reads it
 * next finds the body and then its end. An empty body has nothing to put back, and must be answered here.
 */
export function readBody(raw: IncomingMessage, maxBytes: number): Promise<BodyOutcome> {
  return new Promise(resolve => {
    const parts: Buffer[] = [];
    let length = 0;
    const settle = (outcome: BodyOutcome): void => {
      raw.off('readable', onReadable);
      raw.off('end', onEnd);
      raw.off('close', onGone);
      raw.off('error', onGone);
      resolve(outcome);
    };
    const onGone = (): void => settle({ read: false, reason: 'gone' });
    // An empty stream ends without a word before; one whose body was read here does not, as its body is back in it by then.
    const onEnd = (): void => settle({ read: true, bytes: Buffer.alloc(0) });
    const onReadable = (): void => {
      let part: Buffer | null;
      while ((part = raw.read() as Buffer | null) !== null) {
        length += part.length;
        if (length > maxBytes) return settle({ read: false, reason: 'too-large' });
        parts.push(part);
      }
      if (!hasEnded(raw)) return;
      const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
      // In the same turn: with the stream empty, Node would tell the end in the next.
      if (length > 0) raw.unshift(bytes);
      settle({ read: true, bytes });
    };
    if (raw.destroyed) return onGone();
    raw.on('readable', onReadable);
    raw.on('end', onEnd);
    raw.on('close', onGone);
    raw.on('error', onGone);
    return undefined;
  });
}
