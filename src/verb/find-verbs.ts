import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { VERB_KEY } from './check-verb.js';

/** Every verb that a controller of the app declares. */
export function findVerbs(modules: ModulesContainer): ReadonlySet<string> {
  const scanner = new MetadataScanner();
  const verbs = new Set<string>();
  for (const module of modules.values()) {
    for (const { metatype } of module.controllers.values()) {
      if (typeof metatype !== 'function') continue;
      const prototype = metatype.prototype as Record<string, object>;
      for (const name of scanner.getAllMethodNames(prototype)) {
        const verb = Reflect.getMetadata(VERB_KEY, prototype[name]!) as string | undefined;
        if (verb !== undefined) verbs.add(verb);
      }
    }
  }
  return verbs;
}
