/* The checks of every request's host and origin, and the flood limit of its address. */
import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { readAuthority } from '../common/authority.js';
import type { Clock } from '../common/clock.js';
import { RESOLVED_OPTIONS } from '../common/feature.js';
import { requestPath } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';
import type { Client, RequestState } from '../common/request-state.js';
import type { ResolvedCors } from '../cors/cors.options.js';
import type { CrossSiteRoutes } from '../cors/cross-site-routes.js';
import { decideCors, originProblem } from '../cors/decide-cors.js';
import { checkHost, type HostDecision } from '../host/check-host.js';
import type { HostPatterns, ResolvedHosts } from '../host/host.options.js';
import type { QuotaDecision } from '../limiter/consume.js';
import type { LimitProbe } from '../limiter/limit-probe.js';
import type { Policy } from '../limiter/policy.js';
import { ProcessLimit } from '../limiter/process-limit.js';
import type { QuotaEngine } from '../limiter/quota-engine.js';
import { quotaLines, quotaProblem } from '../limiter/quota-headers.js';
import { SharedFlood } from '../limiter/shared-flood.js';
import type { ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import type { EdgeOptions } from './edge.feature.js';
import { countHostLines } from './request-head.js';
import { type EdgeCheck, type EdgeFinding, type EdgeStage, PREFLIGHT } from '../common/edge-stage.js';
import { hostProblem } from '../host/host-problem.js';

/** Checks the host against `hosts`. A route may narrow the list later (host.guard.ts). */
@Injectable()
export class HostCheck implements EdgeCheck {
  readonly #hosts: ResolvedHosts | false;
  readonly #patterns: HostPatterns | undefined;
  /** The last allowed host: nearly all requests name the same one. */
  #lastHost = '';
  #lastDecision: HostDecision | undefined;

  constructor(@Inject(RESOLVED_OPTIONS) { hosts }: EdgeOptions) {
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
    if (hosts.exemptPaths.has(target)) return undefined;
    // Only valid hosts: everything else is arbitrary text.
    const names = (forwardedHosts ?? [String(host)]).flatMap(each => readAuthority(each)?.name ?? []);
    return hostProblem(decision.reason, names.join(', ') || undefined, hosts.setting, requestPath(target));
  }
}

/** Checks the origin: whether its page may read the response, whether it may change state, whether it is a preflight. */
export class OriginCheck implements EdgeCheck {
  readonly #grants = new Map<string, readonly string[]>();

  constructor(
    private readonly cors: ResolvedCors,
    private readonly stages: readonly EdgeStage[],
    private readonly crossSiteRoutes: CrossSiteRoutes,
  ) {
    for (const origin of cors.exact) this.#grants.set(origin, grantPairs(origin, cors));
  }

  /**
   * Writes to the state whether the page may read the response.
   * @param method `UPGRADE` for a WebSocket handshake
   */
  check(raw: IncomingMessage, state: RequestState, method: string): EdgeFinding {
    const { cors } = this;
    const { headers } = raw;
    const origin = headers.origin;
    const secFetchSite = headers['sec-fetch-site'] as string | undefined;
    if (origin === undefined && secFetchSite === undefined && !cors.anyOrigin) return undefined;
    let decision = decideCors(
      {
        method,
        origin,
        secFetchSite,
        requestedMethod: headers['access-control-request-method'],
        host: state.host,
        secure: state.client.secure,
      },
      cors,
    );
    if (
      (decision.kind === 'rejected' || decision.kind === 'unreadable') &&
      origin !== undefined &&
      this.stages.some(stage => stage.allowsOrigin?.(raw, origin) === true)
    ) {
      const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
      decision = { kind: isPreflight ? 'preflight' : 'granted', origin };
    }
    if (decision.kind === 'granted' || decision.kind === 'preflight') {
      state.cors.grantHeaders = this.#grants.get(decision.origin) ?? grantPairs(decision.origin, cors);
      return decision.kind === 'preflight' ? PREFLIGHT : undefined;
    }
    state.cors.unreadable = decision.kind !== 'none';
    if (decision.kind !== 'rejected' || (method === raw.method && this.#isOpenToOrigins(raw)))
      return undefined;
    state.cors.isCrossSite = method === 'POST' && this.crossSiteRoutes.allows(raw);
    return state.cors.isCrossSite ? undefined : originProblem(raw.headers);
  }

  #isOpenToOrigins(raw: IncomingMessage): boolean {
    return this.stages.some(stage => stage.isOpenToOrigins === true && stage.claims(raw));
  }
}

function grantPairs(origin: string, cors: ResolvedCors): readonly string[] {
  return [
    'Access-Control-Allow-Origin',
    origin,
    ...(cors.credentials ? ['Access-Control-Allow-Credentials', 'true'] : []),
    'Access-Control-Expose-Headers',
    cors.exposeHeaders,
  ];
}

/** Enforces `rateLimit.flood` for each address. It counts every request, including rejected ones and preflights. */
export class FloodCheck implements EdgeCheck {
  readonly countsAll = true;
  readonly #consume: (client: Client) => QuotaDecision;

  constructor(
    private readonly limits: ResolvedRateLimit,
    flood: Policy,
    private readonly clock: Clock,
    engine: QuotaEngine,
    probe?: LimitProbe,
  ) {
    const shared = limits.sharedFlood ? new SharedFlood(flood, engine, clock) : undefined;
    const own = new ProcessLimit(flood, limits.maxClients, clock, probe);
    this.#consume = shared ? client => shared.consume(client) : ({ key }) => own.consume(key);
  }

  check(raw: IncomingMessage, state: RequestState): ProblemFields | undefined {
    const { exemptPaths, headers } = this.limits;
    if (exemptPaths.has(raw.url ?? '')) return undefined;
    const decision = this.#consume(state.client);
    if (decision.granted) return undefined;
    state.limits.quotaLines = quotaLines(decision, this.clock.epochMs(), headers);
    return quotaProblem(decision);
  }
}
