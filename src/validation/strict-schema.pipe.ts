import * as nest from '@nestjs/common';
import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { readArgument, typeError } from '../common/read-options.js';
import { ProblemException } from '../http/problem.exception.js';
import { messageWithout, pathOf, validationProblem } from './describe-faults.js';
import { isStandardSchema, type StandardSchema, withoutPollution } from './standard-schema.js';

/**
 * Validates with a Standard Schema (zod, valibot, arktype), with safe errors: the response lists each fault (`errors`: path and message)
 * and repeats no value. The schema decides whether unknown members are rejected (zod: `z.strictObject()`).
 *
 * Without an argument, the pipe takes the schema of the parameter's decorator (`@Body({ schema })`), which Nest has since version 12. On
 * Nest 11, give the pipe the schema: `@Body(new StrictSchemaPipe(schema))`.
 * @example
 * app.useGlobalPipes(new StrictSchemaPipe());
 */
export class StrictSchemaPipe implements PipeTransform {
  readonly #schema: StandardSchema | undefined;

  /**
   * @param given the schema, where the parameter's decorator has none
   * @throws AgentSecurityConfigError if it is not a Standard Schema, or if this version of Nest passes none
   */
  constructor(...given: [schema?: StandardSchema]) {
    if (given.length === 0 && !('StandardSchemaValidationPipe' in nest)) throw noSchemaError();
    this.#schema = readArgument<StandardSchema | undefined>(
      'the schema of StrictSchemaPipe',
      given,
      undefined,
    );
    if (this.#schema !== undefined && !isStandardSchema(this.#schema))
      throw typeError('the schema of StrictSchemaPipe', 'a Standard Schema', this.#schema);
  }

  async transform(
    value: unknown,
    metadata: ArgumentMetadata & { schema?: StandardSchema },
  ): Promise<unknown> {
    // As Nest's own pipe, this one leaves the parameters of custom decorators to their own pipes.
    const schema = this.#schema ?? (metadata.type === 'custom' ? undefined : metadata.schema);
    if (schema === undefined) return value;
    const result = await schema['~standard'].validate(withoutPollution(value));
    if (result.issues === undefined) return result.value;
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

/** Nest ignores what it does not know in `@Body()`, so the parameter would not be validated. */
const noSchemaError = (): AgentSecurityConfigError =>
  new AgentSecurityConfigError(
    'ASEC_OPTIONS_MISSING',
    'StrictSchemaPipe',
    'has no schema, and Nest 11 passes none from @Body({ schema })',
    'Give it the schema: @Body(new StrictSchemaPipe(schema)). Or update Nest to version 12.',
  );
