import { type Feature, provideOptions } from '../common/feature.js';
import { RESOLVED_ERRORS, type ResolvedErrors, resolveErrors } from './errors.options.js';
import { ProblemDetailsFilter } from './problem-details.filter.js';

export const ERRORS: Feature<'errors', ResolvedErrors | false> = {
  key: 'errors',
  resolve: resolveErrors,
  providers: [
    provideOptions(
      RESOLVED_ERRORS,
      ({ errors }: { errors: ResolvedErrors | false }) => errors || resolveErrors({}),
    ),
    ProblemDetailsFilter,
  ],
  exports: [ProblemDetailsFilter, RESOLVED_ERRORS],
};
