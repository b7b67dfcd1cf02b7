import { ModulesContainer } from '@nestjs/core';
import { type Feature, provideOptions } from '../common/feature.js';
import { bindEventStreamErrors, EVENT_STREAM_ERRORS } from './event-stream-errors.interceptor.js';
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
    provideOptions(
      EVENT_STREAM_ERRORS,
      ({ errors }: { errors: ResolvedErrors | false }, modules: ModulesContainer) =>
        bindEventStreamErrors(modules, errors),
      ModulesContainer,
    ),
  ],
  exports: [ProblemDetailsFilter, RESOLVED_ERRORS],
};
