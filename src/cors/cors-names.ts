/* Options of the package cors, of @fastify/cors and of `app.enableCors()`, and what to write in place of them. */
import { type ForeignNames, literal, renamed } from '../common/foreign-names.js';

const LIST = 'origins: ["https://app.example.com"]';

/** What to write for a value of cors's `origin`. */
export function originRemedy(value: unknown): string {
  if (value === true || value === '*')
    return `Write ${LIST}. For pages of every site: origins: "*", which excludes credentials.`;
  if (value === false) return 'Leave it out: no other origin is allowed by default.';
  if (typeof value === 'function')
    return `Write ${LIST}. forRootAsync() reads the list from another provider at start-up.`;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.some(item => item instanceof RegExp))
    return 'Write origins: ["https://app.example.com", "https://*.example.com"], with a wildcard in place of a pattern.';
  return values.every(item => typeof item === 'string')
    ? `Write origins: ${literal(value)}.`
    : `Write ${LIST}.`;
}

export const FOREIGN_CORS: ForeignNames = {
  origin: originRemedy,
  allowedOrigins: originRemedy,
  allowOrigins: originRemedy,
  allowMethods: renamed('methods'),
  allowedMethods: renamed('methods'),
  allowHeaders: renamed('allowedHeaders'),
  headers: renamed('allowedHeaders'),
  exposeHeaders: renamed('exposedHeaders'),
  allowCredentials: renamed('credentials'),
  preflightContinue: 'Remove it: the module answers preflights, and no handler gets them.',
  preflight: 'Remove it: the module answers preflights, and no handler gets them.',
  strictPreflight: 'Remove it: the module answers preflights, and no handler gets them.',
  optionsSuccessStatus: 'Remove it: preflights get 204.',
  cacheControl: renamed('maxAge'),
  delegator: `Write ${LIST}; @AllowCrossSite() opens a single route.`,
};
