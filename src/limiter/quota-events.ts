/* The events of decisions: thresholds that a client has reached, and denials in shadow mode. Each is emitted once a window and quota. */
import { BoundedMap } from '../common/bounded-map.js';
import type { Clock } from '../common/clock.js';
import { joinKey } from '../common/join-key.js';
import { type Log, logLine } from '../common/log-text.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { Charge, PolicyState, QuotaDecision } from './consume.js';
import { policiesOf, type QuotaClient, type QuotaRequest } from './quota-request.js';
import type { QuotaTable } from './table/quota-table.js';

type EventClient = QuotaClient & { readonly key: string };

/** Beyond it the oldest entries are forgotten, and their events are emitted again. */
const MAX_EMITTED = 10_000;
const REPORT_INTERVAL_MS = 60_000;
/** A function of the app may take the tier from a request. */
const MAX_TIER_LENGTH = 128;

export class QuotaEvents {
  /** Until when an event of a quota is not emitted again. */
  readonly #emittedUntilMs = new BoundedMap<string, number>(MAX_EMITTED);
  /** Numbers that name the tables in what was emitted. */
  readonly #tableNumbers = new WeakMap<QuotaTable, number>();
  #lastTableNumber = 0;
  /** Requests since the last report that would have been denied without shadow mode. */
  #shadowDenials = 0;
  #reportedMs = -Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'warn'>,
    private readonly events: SecurityEvents,
  ) {}

  emit(
    quotaRequests: readonly QuotaRequest[],
    { granted, policyStates }: QuotaDecision,
    quotaClient: QuotaClient,
  ): void {
    if (!granted) return;
    if (policyStates.some(({ violated }) => violated)) this.#reportShadowDenial();
    if (!policyStates.some(({ violated, policy }) => violated || policy.alertAt !== undefined)) return;
    // A store may leave out the state of a policy that was charged nothing.
    const states = new Map(policyStates.map(policyState => [policyState.policy, policyState]));
    for (const { partitionKey, charges } of quotaRequests) {
      const client = { ...quotaClient, key: partitionKey };
      for (const charge of charges) {
        for (const policy of policiesOf(charge)) {
          const policyState = states.get(policy);
          if (policyState?.violated === true) this.#emitShadow(policyState, charge, client);
          else if (policyState !== undefined) this.#emitThresholds(policyState, charge, client);
        }
      }
    }
  }

  emitUnknownTier(tier: string, client: QuotaClient): void {
    const shown = tier.slice(0, MAX_TIER_LENGTH);
    const event = joinKey(
      'tier',
      shown,
      client.agent ?? '',
      client.agent === undefined ? (client.address ?? '') : '',
    );
    const nowMs = this.clock.monotonicMs();
    if (nowMs < (this.#emittedUntilMs.get(event) ?? -Infinity)) return;
    this.#emittedUntilMs.set(event, nowMs + REPORT_INTERVAL_MS);
    this.events.emit({ type: 'limit.unknown-tier', timeMs: this.clock.epochMs(), ...client, tier: shown });
  }

  /** Logs at most once a minute. */
  #reportShadowDenial(): void {
    this.#shadowDenials++;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#reportedMs < REPORT_INTERVAL_MS) return;
    this.log.warn(
      logLine`Shadow mode: ${this.#shadowDenials} request(s) since the last report would have been denied.`,
    );
    this.#shadowDenials = 0;
    this.#reportedMs = nowMs;
  }

  #emitShadow(policyState: PolicyState, charge: Charge, client: EventClient): void {
    if (!this.#isFirst(policyState, charge, 'shadow')) return;
    const { name, limit, windowMs } = policyState.policy;
    const timeMs = this.clock.epochMs();
    this.events.emit({ type: 'limit.shadow', timeMs, ...client, policy: name, limit, windowMs });
  }

  #emitThresholds(policyState: PolicyState, charge: Charge, client: EventClient): void {
    const { name, limit, windowMs, burst, alertAt = [] } = policyState.policy;
    const used = burst - policyState.remaining;
    for (const share of alertAt) {
      if (used < share * burst || !this.#isFirst(policyState, charge, share)) continue;
      const timeMs = this.clock.epochMs();
      const usage = { policy: name, share, used, limit, windowMs };
      this.events.emit({ type: 'limit.threshold', timeMs, ...client, ...usage });
    }
  }

  /**
   * Whether `what` was not emitted yet for a quota in its window; it then counts as emitted. The row of a table identifies the quota: two
   * routes may give one name to their limits, and a 404 takes from the module's quota without a key of a store.
   */
  #isFirst(
    { policy, resetMs }: PolicyState,
    { table, key, inSharedRow }: Charge,
    what: string | number,
  ): boolean {
    let tableNumber = this.#tableNumbers.get(table);
    if (tableNumber === undefined) this.#tableNumbers.set(table, (tableNumber = ++this.#lastTableNumber));
    const row = inSharedRow === true ? 'shared' : joinKey(key.hi, key.lo);
    const event = joinKey(tableNumber, table.policies.indexOf(policy), row, what);
    const nowMs = this.clock.monotonicMs();
    if (nowMs < (this.#emittedUntilMs.get(event) ?? -Infinity)) return false;
    const { windowMs } = policy;
    // `resetMs` is infinite for a request that costs more than the whole limit.
    const lastsMs = policy.rule === 'fixed-window' ? Math.min(resetMs, windowMs) : windowMs;
    this.#emittedUntilMs.set(event, nowMs + lastsMs);
    return true;
  }
}
