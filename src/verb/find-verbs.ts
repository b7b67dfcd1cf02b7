import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { eachHandler } from '../common/each-handler.js';
import { VERB_KEY } from './check-verb.js';

/** Every verb that a controller of the app declares. */
export function findVerbs(modules: ModulesContainer): ReadonlySet<string> {
  const verbs = new Set<string>();
  for (const { handler } of eachHandler(modules, new MetadataScanner())) {
    const verb = Reflect.getMetadata(VERB_KEY, handler) as string | undefined;
    if (verb !== undefined) verbs.add(verb);
  }
  return verbs;
}
