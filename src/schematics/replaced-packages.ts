/* The packages and methods whose work the module does, and the option that takes their settings. */

export type ReplacedBy = 'headers' | 'cors' | 'rateLimit';

export const REPLACED_PACKAGES: Readonly<Record<string, ReplacedBy>> = {
  helmet: 'headers',
  '@fastify/helmet': 'headers',
  cors: 'cors',
  '@fastify/cors': 'cors',
  '@nestjs/throttler': 'rateLimit',
  'express-rate-limit': 'rateLimit',
  '@fastify/rate-limit': 'rateLimit',
};

/** Methods of the app. */
export const REPLACED_METHODS: Readonly<Record<string, ReplacedBy>> = {
  enableCors: 'cors',
  useSecurityHeaders: 'headers',
};

/** What `@nestjs/throttler` exports and the module obeys, so that it stays. */
export const KEPT_DECORATORS = new Set(['Throttle', 'SkipThrottle']);
