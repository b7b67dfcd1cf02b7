/* Reads a small body before routing, whose parsers have not run. */
import type { IncomingMessage } from 'node:http';

export type BodyReading =
  | { readonly kind: 'read'; readonly bytes: Buffer }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'too-slow' }
  /** The client has gone: there is nobody to answer. */
  | { readonly kind: 'gone' };

export function readBody(
  raw: IncomingMessage,
  { maxBytes, timeoutMs }: { readonly maxBytes: number; readonly timeoutMs: number },
): Promise<BodyReading> {
  if (Number(raw.headers['content-length'] ?? 0) > maxBytes) return Promise.resolve({ kind: 'too-large' });
  return new Promise(resolve => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (reading: BodyReading): void => {
      clearTimeout(timer);
      raw.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
      raw.pause();
      resolve(reading);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > maxBytes) settle({ kind: 'too-large' });
      else chunks.push(chunk);
    };
    const onEnd = (): void => settle({ kind: 'read', bytes: Buffer.concat(chunks) });
    const onGone = (): void => settle({ kind: 'gone' });
    const timer = setTimeout(() => settle({ kind: 'too-slow' }), timeoutMs);
    raw.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}
