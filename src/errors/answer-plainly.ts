/* A problem on Express, past its `json()`: that sets the headers one by one and computes an ETag that an error does not carry, and takes
 * longer than the rest of a refusal. */
import type { ServerResponse } from 'node:http';
import { PROBLEM_CONTENT_TYPE, type ProblemDetails } from '../common/problem.js';

type ExpressResponse = ServerResponse & {
  readonly app?: { readonly settings?: Readonly<Record<string, unknown>> };
};

const METHODS = ['json', 'send'] as const;
const SETTINGS = ['json spaces', 'json replacer', 'json escape'] as const;

/** Whether `json()` is Express's own, as nothing that the app or a middleware could have put around it. */
export function isPlainExpress(response: ExpressResponse): boolean {
  const { app } = response;
  if (app?.settings === undefined) return false;
  const appResponse: unknown = Object.getPrototypeOf(response);
  for (const method of METHODS) {
    if (Object.hasOwn(response, method) || Object.hasOwn(appResponse as object, method)) return false;
  }
  for (const setting of SETTINGS) if (app.settings[setting]) return false;
  return true;
}

export function answerPlainly(response: ServerResponse, problem: ProblemDetails): void {
  const body = JSON.stringify(problem);
  response.writeHead(problem.status, {
    'Content-Type': PROBLEM_CONTENT_TYPE,
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
