import { HttpException } from '@nestjs/common';
import { PROBLEM, type ProblemFields } from '../common/problem.js';

/** An HttpException that carries a problem. Exception filters of the app see an HttpException. */
export class ProblemException extends HttpException {
  readonly [PROBLEM]: ProblemFields;

  constructor(fields: ProblemFields) {
    super(fields.detail ?? fields.code, fields.status);
    this[PROBLEM] = fields;
  }
}
