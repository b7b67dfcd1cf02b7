/* Limits a body while it arrives, whatever reads it: all bytes pass `push` of the request's stream, on both platforms,
 * over HTTP/2 and under `app.inject()`. Nothing is buffered, and readers see the same stream until the body is
 * rejected. */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { ProblemFields } from '../common/problem.js';
import type { BodyProgress } from '../common/request-state.js';
import { JsonScanner } from '../common/scan-json.js';
import type { ResolvedBody } from './body.options.js';
import { isCoded, isJson, jsonProblem, tooLargeProblem } from './check-body.js';
import { whenDecoded } from './when-decoded.js';

type Reject = (problem: ProblemFields) => void;

/**
 * Counts a body without a declared length, and scans JSON. After a rejection, neither bytes nor the end of the stream
 * are passed on, so that no parser takes the beginning for the whole body.
 * @param reject called once, with the problem of the response
 * @returns `undefined` where nothing needs to be counted or scanned
 */
export function limitBody(
  raw: IncomingMessage,
  options: ResolvedBody,
  reject: Reject,
): BodyProgress | undefined {
  const { headers, method } = raw;
  const declared = headers['content-length'];
  if (declared === '0') return undefined;
  const isBodyless = method === 'GET' || method === 'HEAD';
  if (declared === undefined && isBodyless && headers['transfer-encoding'] === undefined) return undefined;
  const scanner = isJson(headers['content-type'])
    ? new JsonScanner(options.maxDepth, options.maxKeys, options.duplicateKeys === 'allow')
    : undefined;
  const scan = (bytes: Buffer): ProblemFields | undefined => {
    const fault = scanner?.scan(bytes);
    return fault && jsonProblem(fault, options.maxDepth, options.maxKeys);
  };
  const coded = isCoded(headers);
  if (declared !== undefined && scanner === undefined && !coded) return undefined;
  const progress: BodyProgress = { bytes: 0, maxBytes: options.maxBytes, isCoded: coded };
  checkPush(
    raw,
    bytes => {
      progress.bytes += bytes.length;
      if (progress.bytes > progress.maxBytes) return tooLargeProblem(progress.maxBytes);
      return coded ? undefined : scan(bytes);
    },
    reject,
  );
  if (coded) {
    whenDecoded(raw, decoder => {
      progress.isCoded = false;
      if (scanner !== undefined) checkPush(decoder, scan, reject);
    });
  }
  return progress;
}

function checkPush(
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
