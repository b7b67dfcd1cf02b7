import type { IncomingMessage } from 'node:http';
import type { Clock } from '../common/clock.js';
import type { EdgeCheck } from '../common/feature.js';
import { requestPath } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import type { Policy } from '../limiter/policy.js';
import { quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import { ProcessLimit } from '../limiter/process-limit.js';
import type { ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';

/** Enforces `rateLimit.flood` for each address. It counts every request, including rejected ones and preflights. */
export class FloodCheck implements EdgeCheck {
  readonly countsAll = true;
  readonly #limit: ProcessLimit;

  constructor(
    private readonly limits: ResolvedRateLimit,
    flood: Policy,
    private readonly clock: Clock,
  ) {
    this.#limit = new ProcessLimit(flood, limits.maxClients, clock);
  }

  check(raw: IncomingMessage, state: RequestState): ProblemFields | undefined {
    const { exemptPaths, headers } = this.limits;
    if (exemptPaths.size > 0 && exemptPaths.has(requestPath(raw.url ?? ''))) return undefined;
    const decision = this.#limit.consume(state.client.key);
    if (decision.granted) return undefined;
    state.limits.quota = quotaHeaders(decision, this.clock.epochMs(), headers);
    return quotaProblem(decision);
  }
}
