/* Limits a body while it arrives, whatever reads it: all bytes pass `push` of the request's stream, on both platforms,
 * over HTTP/2 and under `app.inject()`. Nothing is buffered, and readers see the same stream until the body is
 * rejected. */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { ProblemFields } from '../common/problem.js';
import type { BodyProgress } from '../common/request-state.js';
import { type JsonFault, JsonScanner, scanJson } from '../common/scan-json.js';
import type { ResolvedBody } from './body.options.js';
import { hasContentEncoding, isJson, jsonProblem, tooLargeProblem } from './check-body.js';
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
  const isEncoded = hasContentEncoding(headers);
  const scan = isJson(headers['content-type'])
    ? createScan(options, isEncoded ? undefined : Number(declared))
    : undefined;
  if (declared !== undefined && scan === undefined && !isEncoded) return undefined;
  const progress: BodyProgress = { bytes: 0, maxBytes: options.maxBytes, isEncoded };
  checkPush(
    raw,
    bytes => {
      progress.bytes += bytes.length;
      if (progress.bytes > progress.maxBytes) return tooLargeProblem(progress.maxBytes);
      return isEncoded ? undefined : scan?.(bytes);
    },
    reject,
  );
  if (isEncoded) {
    whenDecoded(raw, decoder => {
      progress.isEncoded = false;
      if (scan !== undefined) checkPush(decoder, scan, reject);
    });
  }
  return progress;
}

type Scan = (bytes: Buffer) => ProblemFields | undefined;

/**
 * A scanner of its own would keep its memory as long as the request, and V8 then creates it among the objects that stay. Most bodies come in
 * one chunk and need none.
 * @param length of the bytes that are scanned, as far as it is declared
 */
function createScan({ maxDepth, maxKeys, duplicateKeys }: ResolvedBody, length: number | undefined): Scan {
  const allowsDuplicates = duplicateKeys === 'allow';
  let whole: Buffer | undefined;
  let scanner: JsonScanner | undefined;
  return bytes => {
    let fault: JsonFault | undefined;
    if (scanner === undefined && whole === undefined && bytes.length === length) {
      whole = bytes;
      fault = scanJson(bytes, maxDepth, maxKeys, allowsDuplicates);
    } else {
      scanner ??= new JsonScanner(maxDepth, maxKeys, allowsDuplicates);
      // More than was declared, as app.inject() allows.
      if (whole !== undefined) scanner.scan(whole);
      whole = undefined;
      fault = scanner.scan(bytes);
    }
    return fault && jsonProblem(fault, maxDepth, maxKeys);
  };
}

function checkPush(stream: Readable, check: Scan, reject: Reject): void {
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
