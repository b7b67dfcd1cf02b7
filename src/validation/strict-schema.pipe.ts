import {
  type ArgumentMetadata,
  Injectable,
  StandardSchemaValidationPipe,
  type StandardSchemaValidationPipeOptions,
} from '@nestjs/common';
import { ProblemException } from '../http/problem.exception.js';
import { messageWithout, pathOf, validationProblem } from './describe-faults.js';

/**
 * Nest's `StandardSchemaValidationPipe` (zod, valibot, arktype: `@Body({ schema })`) with safe errors: the response
 * lists each fault (`errors`: path and message) and repeats no value. The schema decides whether unknown members are
 * rejected (zod: `z.strictObject()`).
 * @example
 * app.useGlobalPipes(new StrictSchemaPipe());
 */
@Injectable()
export class StrictSchemaPipe extends StandardSchemaValidationPipe {
  constructor(options: Omit<StandardSchemaValidationPipeOptions, 'exceptionFactory'> = {}) {
    super(options);
  }

  // An exception factory does not receive the value.
  protected override async validate<T = unknown>(
    value: unknown,
    schema: NonNullable<ArgumentMetadata['schema']>,
    options?: Record<string, unknown>,
  ): Promise<{ readonly value: T; readonly issues?: undefined }> {
    const result = await super.validate<T>(value, schema, options);
    if (result.issues === undefined) return result;
    const faults = result.issues.map(({ message, path = [] }) => {
      const segments = path.map(segment => (typeof segment === 'object' ? segment.key : segment));
      return {
        path: pathOf(segments),
        message: messageWithout(message, valueAt(value, segments), 'is not valid'),
      };
    });
    throw new ProblemException(validationProblem(faults));
  }
}

function valueAt(value: unknown, segments: readonly PropertyKey[]): unknown {
  let at = value;
  for (const segment of segments) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, segment)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[segment];
  }
  return at;
}
