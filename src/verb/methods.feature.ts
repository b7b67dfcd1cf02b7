import { ModulesContainer } from '@nestjs/core';
import { type Feature, provideOptions } from '../common/feature.js';
import { VERBS } from './check-verb.js';
import { findVerbs } from './find-verbs.js';
import { createMethodCheck, METHOD_CHECK } from './method-check.js';
import { type ResolvedMethods, resolveMethods } from './methods.options.js';
import { createVerbCheck, VERB_CHECK } from './verb-check.js';

export const METHODS: Feature<'methods', ResolvedMethods | undefined> = {
  key: 'methods',
  resolve: resolveMethods,
  providers: [
    { provide: VERBS, useFactory: findVerbs, inject: [ModulesContainer] },
    provideOptions(
      METHOD_CHECK,
      ({ methods }: { methods: ResolvedMethods | undefined }) => methods && createMethodCheck(methods),
    ),
    {
      provide: VERB_CHECK,
      useFactory: (verbs: ReadonlySet<string>) => (verbs.size === 0 ? undefined : createVerbCheck(verbs)),
      inject: [VERBS],
    },
  ],
};
