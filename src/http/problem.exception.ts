import { HttpException } from '@nestjs/common';
import { PROBLEM, type ProblemFields } from '../common/problem.js';

/** An HttpException with a problem of its own: filters of the user see a plain HttpException. */
export class ProblemException extends HttpException {
  readonly [PROBLEM]: ProblemFields;

  constructor(fields: ProblemFields) {
    super(fields.detail ?? fields.code, fields.status);
    this[PROBLEM] = fields;
  }
}
