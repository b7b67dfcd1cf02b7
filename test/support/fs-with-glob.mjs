/* Lets the suite of @modelcontextprotocol/conformance run on Node 20, whose `fs` has no globSync(). The suite uses it for other commands. */
import { register } from 'node:module';

const module = source => `data:text/javascript,${encodeURIComponent(source)}`;
const fs = module(`export * from 'node:fs'; export const globSync = () => [];`);
register(
  module(`export const resolve = (name, context, next) =>
    name === 'fs' && context.parentURL?.includes('/conformance/') ? { url: ${JSON.stringify(fs)}, shortCircuit: true } : next(name, context);`),
);
