/* The events of decisions: thresholds that a client has reached, and denials in shadow mode. Each is emitted once a window and quota. */
import type { Clock } from '../common/clock.js';
import { joinKey } from '../common/join-key.js';
import { type Log, logLine } from '../common/log-text.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { Charge, PolicyState, QuotaDecision } from './consume.js';
import { policiesOf, type QuotaClient, type QuotaRequest } from './quota-request.js';
import type { QuotaTable } from './table/quota-table.js';
import { BoundedMap } from '../common/bounded-map.js';

type EventClient = QuotaClient & { readonly key: string };

export class QuotaEvents {
  readonly #emitted = new OncePerWindow();
  readonly #shadowReport: ShadowReport;
  /** Numbers that name the tables in what was emitted. */
  readonly #tableNumbers = new WeakMap<QuotaTable, number>();
  #lastTableNumber = 0;

  constructor(
    private readonly clock: Clock,
    log: Pick<Log, 'warn'>,
    private readonly events: SecurityEvents,
  ) {
    this.#shadowReport = new ShadowReport(clock, log);
  }

  emit(
    quotaRequests: readonly QuotaRequest[],
    { granted, policyStates }: QuotaDecision,
    quotaClient: QuotaClient,
  ): void {
    if (!granted) return;
    if (policyStates.some(({ violated }) => violated)) this.#shadowReport.countDenial();
    if (!this.events.isObserved) return;
    let at = 0;
    for (const { partitionKey, charges } of quotaRequests) {
      for (const charge of charges) {
        for (const policy of policiesOf(charge)) {
          const policyState = policyStates[at];
          // A store may leave out the state of a policy that was charged nothing.
          if (policyState?.policy !== policy) continue;
          at++;
          const client = { ...quotaClient, key: partitionKey };
          if (policyState.violated) this.#emitShadow(policyState, charge, client);
          else if (policy.alertAt !== undefined) this.#emitThresholds(policyState, charge, client);
        }
      }
    }
  }

  #emitShadow(policyState: PolicyState, charge: Charge, client: EventClient): void {
    if (!this.#isFirst(policyState, charge, 'shadow')) return;
    const { name, limit, windowMs } = policyState.policy;
    const timeMs = this.clock.epochMs();
    this.events.emit({ type: 'limit.shadow', timeMs, ...client, policy: name, limit, windowMs });
  }

  #emitThresholds(policyState: PolicyState, charge: Charge, client: EventClient): void {
    const { name, limit, windowMs, burst, alertAt } = policyState.policy;
    const used = burst - policyState.remaining;
    for (const share of alertAt!) {
      if (used < share * burst || !this.#isFirst(policyState, charge, share)) continue;
      const timeMs = this.clock.epochMs();
      const usage = { policy: name, share, used, limit, windowMs };
      this.events.emit({ type: 'limit.threshold', timeMs, ...client, ...usage });
    }
  }

  /**
   * Whether `what` was not emitted yet for a quota in its window. The row of a table identifies the quota: two routes may give one name to
   * their limits, and a 404 takes from the module's quota without a key of a store.
   */
  #isFirst(
    { policy, resetMs }: PolicyState,
    { table, key, inSharedRow }: Charge,
    what: string | number,
  ): boolean {
    let tableNumber = this.#tableNumbers.get(table);
    if (tableNumber === undefined) this.#tableNumbers.set(table, (tableNumber = ++this.#lastTableNumber));
    const row = inSharedRow === true ? 'shared' : joinKey(key.hi, key.lo);
    const { windowMs } = policy;
    // `resetMs` is infinite for a request that costs more than the whole limit.
    const lastsMs = policy.rule === 'fixed-window' ? Math.min(resetMs, windowMs) : windowMs;
    const quota = joinKey(tableNumber, table.policies.indexOf(policy), row, what);
    return this.#emitted.isFirst(quota, this.clock.monotonicMs(), lastsMs);
  }
}

const INTERVAL_MS = 60_000;

/** Logs, at most once a minute, how many requests would have been denied without shadow mode. */
class ShadowReport {
  #denials = 0;
  #reportedMs = -Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'warn'>,
  ) {}

  countDenial(): void {
    this.#denials += 1;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#reportedMs < INTERVAL_MS) return;
    this.log.warn(
      logLine`Shadow mode: ${this.#denials} request(s) since the last report would have been denied.`,
    );
    this.#denials = 0;
    this.#reportedMs = nowMs;
  }
}

/** Beyond it the oldest entries are forgotten, and what they stand for is reported again. */
const MAX_ENTRIES = 10_000;

/** Reports something once a window, with a bound on memory. */
class OncePerWindow {
  readonly #untilMs = new BoundedMap<string, number>(MAX_ENTRIES);

  /** Whether `what` was not reported within the last window; it then counts as reported for `windowMs`. */
  isFirst(what: string, nowMs: number, windowMs: number): boolean {
    const untilMs = this.#untilMs.get(what);
    if (untilMs !== undefined && nowMs < untilMs) return false;
    this.#untilMs.set(what, nowMs + windowMs);
    return true;
  }
}
