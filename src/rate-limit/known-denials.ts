/* Requests that are known to be refused, so that the next one like it is refused before routing: a client over the module's
 * limits, on a path where the guard has just refused it. Only there: another path may be exempt, have limits of its own, or belong to a
 * library that no guard stands before. */
import type { IncomingMessage } from 'node:http';
import { type OnApplicationBootstrap, VersioningType } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import { requestPath } from '../common/http-request.js';
import { joinKey } from '../common/join-key.js';
import type { Client } from '../common/request-state.js';
import type { QuotaDecision } from '../limiter/consume.js';
import { DenialMemory } from '../limiter/denial-memory.js';
import { REQUESTS } from '../limiter/policy.js';

export const KNOWN_DENIALS = Symbol('agent-security:known-denials');
/** Of about 250 bytes each. */
const MAX_DENIALS = 10_000;

export class KnownDenials extends DenialMemory implements OnApplicationBootstrap {
  constructor(private readonly config: ApplicationConfig) {
    super(MAX_DENIALS);
  }

  /** A denial of a path says nothing of the next request to it if headers choose the route. */
  onApplicationBootstrap(): void {
    const versioning = this.config.getVersioning();
    if (versioning !== undefined && versioning.type !== VersioningType.URI) this.disable();
  }
}

/** Bounds what one refusal takes: paths and hosts are the client's to choose. */
const MAX_TEXT = 512;

/** Headers that a router may go by, beside the host. */
const ROUTING_HEADERS = ['x-http-method-override', 'accept-version'] as const;

/**
 * All that decides which route a request meets and whose quota it draws on, as text.
 * @returns `undefined` if something else may decide it
 */
export function nameRequest(
  { method = '', url = '', headers }: IncomingMessage,
  client: Client,
): string | undefined {
  const host = (headers[':authority'] as string | undefined) ?? headers.host ?? '';
  if (url.length + host.length > MAX_TEXT || client.forwardedHosts !== undefined) return undefined;
  for (const name of ROUTING_HEADERS) if (headers[name] !== undefined) return undefined;
  return joinKey(client.key.hi, client.key.lo, method, requestPath(url), host);
}

const TIMED_RULES: ReadonlySet<string> = new Set(['sliding-window', 'fixed-window', 'token-bucket']);

/** Whether only time gives something back: no slot that is released, no estimate that is settled, no policy on trial. */
export function isTimed({ policyStates }: QuotaDecision): boolean {
  return policyStates.every(
    ({ policy }) => TIMED_RULES.has(policy.rule) && policy.unit === REQUESTS && !policy.shadow,
  );
}
