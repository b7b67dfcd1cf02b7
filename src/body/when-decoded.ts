import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

/** Express's parser pipes a compressed body through a stream of `node:zlib`, whose output is the body. */
export function whenDecoded(raw: IncomingMessage, onDecoder: (decoder: Readable) => void): void {
  const { pipe } = raw;
  raw.pipe = function (this: IncomingMessage, ...[target, options]: Parameters<typeof pipe>) {
    if (isDecoder(target)) onDecoder(target);
    return pipe.call(this, target, options);
  } as typeof pipe;
}

/** Recognizes a stream of `node:zlib`: it has `bytesWritten` and `flush`. */
function isDecoder(target: unknown): target is Readable {
  const stream = target as { push?: unknown; flush?: unknown; bytesWritten?: unknown };
  return (
    typeof stream.push === 'function' &&
    typeof stream.flush === 'function' &&
    typeof stream.bytesWritten === 'number'
  );
}
