import { ModulesContainer } from '@nestjs/core';
import { type Feature, provideOptions } from '../common/feature.js';
import { VERBS, checkVerb, VERB_KEY } from './check-verb.js';
import { type ResolvedMethods, resolveMethods } from './methods.options.js';
import { eachHandler } from '../common/each-handler.js';
import type { EdgeCheck } from '../common/edge-stage.js';

export const VERB_CHECK = Symbol('agent-security:verb-check');

/** Writes the verb of a POST to the state, and rejects verbs that no `@Verb()` declares. */
const createVerbCheck = (verbs: ReadonlySet<string>): EdgeCheck => ({
  check: (raw, state) => {
    const found = checkVerb(raw, verbs);
    if (typeof found === 'object') return found;
    state.verb = found;
    return undefined;
  },
});

export const METHOD_CHECK = Symbol('agent-security:method-check');

/** Rejects methods that the option `methods` leaves out. Preflights are answered earlier. */
const createMethodCheck = ({ names, allow }: ResolvedMethods): EdgeCheck => ({
  check: ({ method = '' }) =>
    names.has(method)
      ? undefined
      : { status: 405, code: 'method_not_allowed', detail: 'The method is not allowed.', allow },
});

/** Every verb that a controller of the app declares. */
function findVerbs(modules: ModulesContainer): ReadonlySet<string> {
  const verbs = new Set<string>();
  for (const { handler } of eachHandler(modules)) {
    const verb = Reflect.getMetadata(VERB_KEY, handler) as string | undefined;
    if (verb !== undefined) verbs.add(verb);
  }
  return verbs;
}

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
