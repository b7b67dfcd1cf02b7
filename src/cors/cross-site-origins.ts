/* The origins of `@AllowCrossSite()`. */
import type { IncomingMessage } from 'node:http';
import { readGiven, readStringList, receivedError } from '../common/read-options.js';
import { isAllowedOrigin } from './decide-cors.js';
import { type OriginPatterns, resolveOriginPatterns } from './origin.js';

/** The origins that a route lists. */
export interface CrossSiteOrigins extends OriginPatterns {
  readonly listed: readonly string[];
  readonly anyOrigin: boolean;
}

/** @throws AgentSecurityConfigError for an invalid origin, or none */
export function readCrossSiteOrigins(option: string, value: unknown): CrossSiteOrigins {
  const listed = readStringList(option, readGiven(option, value), []);
  if (listed.length === 0) {
    const remedy = 'Write ["https://appleid.apple.com"].';
    throw receivedError('ASEC_ORIGIN_INVALID', option, 'must list an origin', remedy, value);
  }
  return { listed, anyOrigin: listed.includes('*'), ...resolveOriginPatterns(option, listed, false) };
}

/** Whether a page may send a request. A browser names the origin of each POST. */
export const allowsCrossSite = (
  origins: CrossSiteOrigins,
  { headers: { origin } }: IncomingMessage,
): boolean => origins.anyOrigin || (origin !== undefined && isAllowedOrigin(origin, origins));
