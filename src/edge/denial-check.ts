import type { IncomingMessage } from 'node:http';
import type { MayCarryAgent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import type { EdgeCheck } from '../common/edge-check.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import type { DenialMemory } from '../limiter/denial-memory.js';
import { quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import { nameRequest } from '../rate-limit/known-denials.js';
import type { ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';

/** Denies a request again whose like the guard has just denied, until the client's quota gives something back. */
export class DenialCheck implements EdgeCheck {
  constructor(
    private readonly limits: ResolvedRateLimit,
    private readonly denials: DenialMemory,
    private readonly mayCarryAgent: MayCarryAgent,
    private readonly clock: Clock,
  ) {}

  check(raw: IncomingMessage, state: RequestState, method: string): ProblemFields | undefined {
    if (this.denials.size === 0 || method === 'UPGRADE' || this.mayCarryAgent(raw)) return undefined;
    const request = nameRequest(raw, state.client);
    const decision = request === undefined ? undefined : this.denials.find(request, this.clock.monotonicMs());
    if (decision === undefined) return undefined;
    state.limits.quota = quotaHeaders(decision, this.clock.epochMs(), this.limits.headers);
    return quotaProblem(decision);
  }
}
