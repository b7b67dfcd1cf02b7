/* The body of a request as it really comes, whoever reads it and how: everything that arrives passes `push` of the request's stream, on
 * both platforms, over HTTP/2 and under `app.inject()`. Nothing is kept and nobody's reading is changed, until the body is refused. */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { ProblemFields } from '../common/problem.js';
import type { BodyProgress } from '../common/request-state.js';
import type { ResolvedBody } from './body.options.js';
import {
  duplicateKeyProblem,
  isCoded,
  isJson,
  notUtf8Problem,
  tooDeepProblem,
  tooLargeProblem,
  tooManyContainersProblem,
  tooManyKeysProblem,
} from './check-body.js';
import { type JsonFault, JsonScanner } from '../common/scan-json.js';

type Reject = (problem: ProblemFields) => void;

/**
 * Watches a body that is to be bounded by what comes (one without a declared length) or that is JSON. Once refused, nothing more of it is
 * handed on, its end neither, so that no parser takes the beginning for the whole.
 * @param refuse called once, with the answer to give
 * @returns `undefined` where there is nothing to watch
 */
export function watchBody(
  raw: IncomingMessage,
  options: ResolvedBody,
  reject: Reject,
): BodyProgress | undefined {
  const { headers, method } = raw;
  const declared = headers['content-length'];
  if (declared === '0') return undefined;
  const isSilent = method === 'GET' || method === 'HEAD';
  if (declared === undefined && isSilent && headers['transfer-encoding'] === undefined) return undefined;
  const scanner = isJson(headers['content-type'])
    ? new JsonScanner(options.maxDepth, options.maxKeys, options.duplicateKeys === 'allow')
    : undefined;
  const coded = isCoded(headers);
  if (declared !== undefined && scanner === undefined && !coded) return undefined;
  const progress: BodyProgress = { bytes: 0, maxBytes: options.maxBytes, isCoded: coded };
  watchPush(
    raw,
    bytes => {
      progress.bytes += bytes.length;
      if (progress.bytes > progress.maxBytes) return tooLargeProblem(progress.maxBytes);
      return coded ? undefined : faultProblem(scanner?.scan(bytes), options);
    },
    reject,
  );
  if (coded) {
    watchDecoder(raw, decoder => {
      progress.isCoded = false;
      if (scanner === undefined) return;
      watchPush(decoder, bytes => faultProblem(scanner.scan(bytes), options), reject);
    });
  }
  return progress;
}

function watchPush(
  stream: Readable,
  check: (bytes: Buffer) => ProblemFields | undefined,
  reject: Reject,
): void {
  const { push } = stream;
  let rejected = false;
  stream.push = function (this: Readable, chunk: unknown, encoding?: BufferEncoding): boolean {
    if (rejected) return true;
    if (chunk !== null && chunk !== undefined) {
      const problem = check(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : (chunk as Buffer));
      if (problem !== undefined) {
        rejected = true;
        reject(problem);
        return true;
      }
    }
    return push.call(this, chunk, encoding);
  };
}

/** Express's parser pipes a compressed body through a stream of `node:zlib`; what comes out of it is the body. */
function watchDecoder(raw: IncomingMessage, onDecoder: (decoder: Readable) => void): void {
  const { pipe } = raw;
  raw.pipe = function (this: IncomingMessage, ...[target, options]: Parameters<typeof pipe>) {
    if (isDecoder(target)) onDecoder(target);
    return pipe.call(this, target, options);
  } as typeof pipe;
}

/** Streams of `node:zlib` count what was written, and can flush. */
function isDecoder(target: unknown): target is Readable {
  const stream = target as { push?: unknown; flush?: unknown; bytesWritten?: unknown };
  return (
    typeof stream.push === 'function' &&
    typeof stream.flush === 'function' &&
    typeof stream.bytesWritten === 'number'
  );
}

function faultProblem(
  fault: JsonFault | undefined,
  { maxDepth, maxKeys }: ResolvedBody,
): ProblemFields | undefined {
  switch (fault) {
    case undefined:
      return undefined;
    case 'duplicate':
      return duplicateKeyProblem;
    case 'depth':
      return tooDeepProblem(maxDepth);
    case 'containers':
      return tooManyContainersProblem;
    case 'keys':
      return tooManyKeysProblem(maxKeys);
    case 'utf8':
      return notUtf8Problem;
  }
}
