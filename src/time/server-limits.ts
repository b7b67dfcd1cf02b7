/* The time limits of Node's HTTP server: for the head of a request, for the whole request, and between two requests. */
import type { ServerLimits } from './timeout.options.js';

/** HTTP/2 servers have other limits, and servers of other libraries may have none. */
export interface LimitedServer {
  headersTimeout?: number;
  requestTimeout?: number;
  keepAliveTimeout?: number;
  connectionsCheckingInterval?: number;
}

const HEADERS = { fallbackMs: 20_000, platformMs: [60_000] } as const;
/** Fastify's default is 0: no limit. */
const REQUEST = { fallbackMs: 120_000, platformMs: [300_000, 0] } as const;
const KEEP_ALIVE = { fallbackMs: undefined, platformMs: [5_000, 65_000, 72_000] } as const;

/** Sets limits that the app has not set, and never raises those that it has set. */
export function setServerLimits(server: LimitedServer, limits: ServerLimits): void {
  if (server.headersTimeout === undefined || server.requestTimeout === undefined) return;
  server.headersTimeout = chooseMs(server.headersTimeout, limits.headersMs, HEADERS);
  server.requestTimeout = chooseMs(server.requestTimeout, limits.requestMs, REQUEST);
  if (server.keepAliveTimeout !== undefined)
    server.keepAliveTimeout = chooseMs(server.keepAliveTimeout, limits.keepAliveMs, KEEP_ALIVE);
  // Node checks every 30 s, so that a limit of 20 s could apply after 50 s. The interval is read when the server begins to listen.
  const shortest = Math.min(server.headersTimeout || Infinity, server.requestTimeout || Infinity);
  const { connectionsCheckingInterval: current } = server;
  if (current !== undefined && shortest !== Infinity)
    server.connectionsCheckingInterval = Math.min(current, Math.max(50, Math.floor(shortest / 4)));
}

function chooseMs(
  current: number,
  given: number | false | undefined,
  {
    fallbackMs,
    platformMs,
  }: { readonly fallbackMs: number | undefined; readonly platformMs: readonly number[] },
): number {
  if (given === false) return current;
  const isPlatforms = platformMs.includes(current);
  // A value that differs from the platforms' defaults was set by the app.
  if (given === undefined) return isPlatforms ? (fallbackMs ?? current) : current;
  return isPlatforms || current === 0 ? given : Math.min(current, given);
}
