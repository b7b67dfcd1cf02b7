/* Checks the host of a request against `hosts`. A route may narrow the list later (host.guard.ts). */
import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { readAuthority } from '../common/authority.js';
import { CLOCK, type Clock } from '../common/clock.js';
import { type EdgeCheck, RESOLVED_OPTIONS } from '../common/feature.js';
import { requestPath } from '../common/http-request.js';
import { logLine } from '../common/log-text.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { checkHost, type HostDecision, hostProblem } from '../host/check-host.js';
import type { HostPatterns, ResolvedHosts } from '../host/host.options.js';
import type { EdgeOptions } from './edge.feature.js';
import { countHostLines } from './request-head.js';

/** A rejected host may be a configuration error, so it is logged; a scan of thousands must not fill the log. */
const LOG_INTERVAL_MS = 1_000;

@Injectable()
export class HostCheck implements EdgeCheck {
  readonly #log = new Logger('AgentSecurity');
  readonly #hosts: ResolvedHosts | false;
  readonly #patterns: HostPatterns | undefined;
  /** The last allowed host: nearly all requests name the same one. */
  #lastHost = '';
  #lastDecision: HostDecision | undefined;
  #loggedMs = -Infinity;

  constructor(
    @Inject(RESOLVED_OPTIONS) { hosts }: EdgeOptions,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.#hosts = hosts;
    this.#patterns = hosts && !hosts.anyHost ? hosts.patterns : undefined;
  }

  /** Writes the request's host to the state, if it is allowed. */
  check(raw: IncomingMessage, state: RequestState): ProblemFields | undefined {
    const hosts = this.#hosts;
    const authority = raw.headers[':authority'] as string | undefined;
    const host = authority ?? raw.headers.host;
    // An HTTP/2 request may carry both, and the app may read the one that was not checked (RFC 9113 section 8.3.1).
    if (authority !== undefined && raw.headers.host !== undefined && raw.headers.host !== authority) {
      return hostProblem('conflict');
    }
    const { forwardedHosts } = state.client;
    const target = raw.url ?? '';
    if (hosts === false) {
      state.host = typeof host === 'string' ? readAuthority(forwardedHosts?.at(-1) ?? host) : undefined;
      return undefined;
    }
    const hostLines = countHostLines(raw);
    const simple = forwardedHosts === undefined && target.charCodeAt(0) === 0x2f && hostLines <= 1;
    if (simple && host === this.#lastHost && this.#lastDecision?.allowed) {
      state.host = this.#lastDecision.authority;
      return undefined;
    }
    const decision = checkHost(
      { host: host as string | undefined, hostLines, target, forwardedHosts },
      this.#patterns,
    );
    if (decision.allowed) {
      state.host = decision.authority;
      if (simple) [this.#lastHost, this.#lastDecision] = [host as string, decision];
      return undefined;
    }
    if (hosts.exemptPaths.size > 0 && hosts.exemptPaths.has(requestPath(target))) return undefined;
    if (decision.reason === 'not-listed') this.#logRejected(forwardedHosts ?? [String(host)], hosts);
    return hostProblem(decision.reason);
  }

  #logRejected(rejected: readonly string[], hosts: ResolvedHosts): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#loggedMs < LOG_INTERVAL_MS) return;
    this.#loggedMs = nowMs;
    // Only valid hosts: everything else is arbitrary text.
    const names = rejected.flatMap(host => readAuthority(host)?.name ?? []);
    this.#log.warn(
      logLine`Rejected a request for host ${names.join(', ')}. If it is one of your hosts, add it to ${hosts.setting}.`,
    );
  }
}
