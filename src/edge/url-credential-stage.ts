import type { IncomingMessage, ServerResponse } from 'node:http';
import { namesParameter } from '../auth/read-credential.js';
import { CREDENTIAL_IN_URL_PROBLEM } from '../auth/auth-rejections.js';
import type { RequestState } from '../common/request-state.js';
import type { ResolvedErrors } from '../errors/errors.options.js';
import { answerProblem } from './answer.js';
import type { EdgeStage } from '../common/feature.js';

/** Rejects credentials in query parameters, on every path: URLs end up in access logs. */
export class UrlCredentialStage implements EdgeStage {
  constructor(
    private readonly names: ReadonlySet<string>,
    private readonly errors: ResolvedErrors | false,
  ) {}

  claims({ url = '' }: IncomingMessage): boolean {
    return namesParameter(url, this.names);
  }

  run(raw: IncomingMessage, response: ServerResponse, state: RequestState): boolean {
    answerProblem(raw, response, CREDENTIAL_IN_URL_PROBLEM, state.id, this.errors);
    return false;
  }
}
