/* The limits that are judged before routing: `flood`, and what the guard has just refused. */
import type { IncomingMessage } from 'node:http';
import type { MayCarryAgent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import { requestPath } from '../common/http-request.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { EVERY_POLICY, consume, type QuotaDecision } from '../limiter/consume.js';
import { nameRequest } from '../rate-limit/known-denials.js';
import { quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import { QuotaTable } from '../limiter/table/quota-table.js';
import type { ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import type { DenialMemory } from '../limiter/denial-memory.js';

export class LimitCheck {
  readonly #flood: QuotaTable | undefined;

  constructor(
    private readonly limits: ResolvedRateLimit | false,
    private readonly denials: DenialMemory,
    private readonly mayCarryAgent: MayCarryAgent,
    private readonly clock: Clock,
  ) {
    this.#flood = limits && limits.flood ? new QuotaTable([limits.flood], limits.maxClients) : undefined;
  }

  /** Takes one request of its address from the flood limit. */
  checkFlood(raw: IncomingMessage, state: RequestState): ProblemFields | undefined {
    const { limits } = this;
    if (this.#flood === undefined || limits === false) return undefined;
    if (limits.exemptPaths.size > 0 && limits.exemptPaths.has(requestPath(raw.url ?? ''))) return undefined;
    const charge = { table: this.#flood, mask: EVERY_POLICY, key: state.client.key, cost: 1 };
    const decision = consume([charge], this.clock.monotonicMs());
    return decision.granted ? undefined : this.#deny(decision, state);
  }

  /** Refuses a client that the guard has just refused here, until its quota gives something back. */
  checkKnown(raw: IncomingMessage, state: RequestState): ProblemFields | undefined {
    if (this.denials.size === 0 || this.mayCarryAgent(raw)) return undefined;
    const request = nameRequest(raw, state.client);
    const decision = request === undefined ? undefined : this.denials.find(request, this.clock.monotonicMs());
    return decision && this.#deny(decision, state);
  }

  #deny(decision: QuotaDecision, state: RequestState): ProblemFields {
    const informative = this.limits !== false && this.limits.headers;
    state.quota = quotaHeaders(decision, this.clock.epochMs(), informative);
    return quotaProblem(decision);
  }
}
