/* The host of a request against the module's list; a route may narrow it later (host.guard.ts). */
import type { IncomingMessage } from 'node:http';
import type { Log } from '../common/log.js';
import { readAuthority } from '../common/authority.js';
import type { Clock } from '../common/clock.js';
import type { EdgeCheck } from '../common/edge-check.js';
import { requestPath } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { checkHost, type HostDecision } from '../host/check-host.js';
import type { HostPatterns, ResolvedHosts } from '../host/host.options.js';
import { hostProblem } from '../host/host.problem.js';
import { countHostLines } from './request-head.js';
import { logLine } from '../common/log-text.js';

/** One refused host may be a mistake in the settings; a scan of thousands must not fill the log. */
const LOG_INTERVAL_MS = 1_000;

export class HostCheck implements EdgeCheck {
  readonly #patterns: HostPatterns | undefined;
  /** The last host that was served: nearly every request names the same one. */
  #servedHost = '';
  #servedDecision: HostDecision | undefined;
  #loggedMs = -Infinity;

  constructor(
    private readonly hosts: ResolvedHosts | false,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {
    this.#patterns = hosts && !hosts.anyHost ? hosts.patterns : undefined;
  }

  /** Notes in the state which host the request names, if it names a good one. */
  check(raw: IncomingMessage, state: RequestState): ProblemFields | undefined {
    const { hosts } = this;
    const authority = raw.headers[':authority'] as string | undefined;
    const host = authority ?? raw.headers.host;
    // Over HTTP/2 both may come, and the app may read the one that was not judged (RFC 9113 section 8.3.1).
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
    if (simple && host === this.#servedHost && this.#servedDecision?.allowed) {
      state.host = this.#servedDecision.authority;
      return undefined;
    }
    const decision = checkHost(
      { host: host as string | undefined, hostLines, target, forwardedHosts },
      this.#patterns,
    );
    if (decision.allowed) {
      state.host = decision.authority;
      if (simple) [this.#servedHost, this.#servedDecision] = [host as string, decision];
      return undefined;
    }
    if (hosts.exemptPaths.size > 0 && hosts.exemptPaths.has(requestPath(target))) return undefined;
    if (decision.reason === 'not-listed') this.#note(forwardedHosts ?? [String(host)], hosts);
    return hostProblem(decision.reason);
  }

  #note(rejected: readonly string[], hosts: ResolvedHosts): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#loggedMs < LOG_INTERVAL_MS) return;
    this.#loggedMs = nowMs;
    // Only what has the form of a host: everything else is somebody's text.
    const names = rejected.flatMap(host => readAuthority(host)?.name ?? []);
    this.log.warn(
      logLine`Refused a request for host ${names.join(', ')}. If it is yours, add it to ${hosts.setting}.`,
    );
  }
}
