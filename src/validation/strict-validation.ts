import type { ValidationError, ValidationPipeOptions } from '@nestjs/common';
import { rejectMissing } from '../common/read-options.js';
import { ProblemException } from '../http/problem.exception.js';
import { type InputFault, messageWithout, pathOf, validationProblem } from './describe-faults.js';

/**
 * Strict options for Nest's `ValidationPipe` (class-validator): members without a rule and classes without rules are rejected, no value is
 * converted implicitly, and the response lists each fault (`errors`: path and message) and repeats no value.
 * @param overrides options of the pipe that replace these
 * @example
 * app.useGlobalPipes(new ValidationPipe(strictValidation()));
 */
export function strictValidation(overrides: ValidationPipeOptions = {}): ValidationPipeOptions {
  rejectMissing('strictValidation()', overrides as Record<string, unknown>);
  return {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    transform: true,
    transformOptions: { enableImplicitConversion: false },
    exceptionFactory: errors => new ProblemException(validationProblem(faultsOf(errors, []))),
    ...overrides,
  };
}

/** The depth of the tree of errors is limited by the classes, not by the input. */
function faultsOf(errors: readonly ValidationError[], above: readonly string[]): readonly InputFault[] {
  return errors.flatMap(({ property, constraints = {}, children = [], value }) => {
    const segments = property === undefined ? above : [...above, property];
    const path = pathOf(segments);
    const own = Object.entries(constraints).map(([rule, message]) => ({
      path,
      message: rule === 'whitelistValidation' ? 'is not expected' : messageWithout(message, value, rule),
    }));
    return [...own, ...faultsOf(children, segments)];
  });
}
