/* Fastify's JSON parser rejects an empty body and prototype-polluting keys with errors of its own. Here they get the problems that the
 * module answers on Express (body.guard.ts). */
import type { IncomingMessage } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { EMPTY_JSON_PROBLEM, needsBody, POLLUTION_PROBLEM } from '../body/check-body.js';
import { ProblemException } from '../http/problem.exception.js';
import { withoutStack } from '../common/without-stack.js';

type Done = (error: Error | null, body?: unknown) => void;
type JsonParser = (request: Pick<IncomingMessage, 'method'>, body: Buffer | string, done: Done) => void;

interface FastifyParsers {
  getDefaultJsonParser(...actions: unknown[]): JsonParser;
}

/** Nest's adapter asks for this parser at each request. A parser of the app is not changed. */
export function installJsonParser(adapter: AbstractHttpAdapter): void {
  const instance = adapter.getInstance<FastifyParsers>();
  const createParser = instance.getDefaultJsonParser.bind(instance);
  instance.getDefaultJsonParser = (...actions) => {
    const parse = createParser(...actions);
    return (request, body, done) => {
      if (body.length > 0) {
        parse(request, body, (error, value) =>
          done(error !== null && isValidJson(body) ? problem(POLLUTION_PROBLEM) : error, value),
        );
      } else if (needsBody(request.method ?? '')) done(problem(EMPTY_JSON_PROBLEM));
      else done(null);
    };
  };
}

const problem = (fields: typeof EMPTY_JSON_PROBLEM): Error =>
  withoutStack(() => new ProblemException(fields));

/** Of valid JSON, the parser rejects prototype-polluting keys alone. */
function isValidJson(body: Buffer | string): boolean {
  try {
    JSON.parse(body.toString());
    return true;
  } catch {
    return false;
  }
}
