/* The events of decisions: thresholds that a client has reached, and denials in shadow mode. Each is emitted once a window and quota, by one
 * of the processes that share the quota. */
import { BoundedMap } from '../common/bounded-map.js';
import type { Clock } from '../common/clock.js';
import { joinKey } from '../common/join-key.js';
import { type Log, logLine } from '../common/log-text.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { Charge, PolicyState, QuotaDecision } from './consume.js';
import type { QuotaClient, QuotaRequest } from './quota-request.js';
import type { QuotaTable } from './table/quota-table.js';
import { policiesOf } from './restrict-request.js';

type EventClient = QuotaClient & { readonly key: string };

/** Acts in one of the processes that share a store, within `ttlMs`. */
export type Once = (key: string, ttlMs: number, act: () => void) => void;

/** Where something happened: the state of a policy, and where the policy is counted. */
interface Place {
  readonly policyState: PolicyState;
  readonly charge: Charge;
  /** The key in a shared store; `undefined` for a quota that only this process has. */
  readonly storeKey: string | undefined;
}

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
    private readonly once: Once,
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
    for (const { partitionKey, charges, stored } of quotaRequests) {
      const client = { ...quotaClient, key: partitionKey };
      for (const charge of charges) {
        for (const policy of policiesOf(charge)) {
          const policyState = states.get(policy);
          if (policyState === undefined) continue;
          const storeKey = stored.find(({ policies }) => policies.includes(policy))?.key;
          const place = { policyState, charge, storeKey };
          if (policyState.violated) this.#emitShadow(place, client);
          else this.#emitThresholds(place, client);
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

  #emitShadow(place: Place, client: EventClient): void {
    const { name, limit, windowMs } = place.policyState.policy;
    this.#once(place, 'shadow', timeMs =>
      this.events.emit({ type: 'limit.shadow', timeMs, ...client, policy: name, limit, windowMs }),
    );
  }

  #emitThresholds(place: Place, client: EventClient): void {
    const { policy, remaining } = place.policyState;
    const { name, limit, windowMs, burst, alertAt = [] } = policy;
    const used = burst - remaining;
    for (const share of alertAt) {
      if (used < share * burst) continue;
      const usage = { policy: name, share, used, limit, windowMs };
      this.#once(place, share, timeMs =>
        this.events.emit({ type: 'limit.threshold', timeMs, ...client, ...usage }),
      );
    }
  }

  /**
   * Emits an event that was not emitted yet for a quota in its window: not by this process, and not by another that shares the quota. The
   * row of a table identifies the quota in this process: two routes may give one name to their limits, and a 404 takes from the module's
   * quota without a key of a store.
   */
  #once(
    { policyState, charge, storeKey }: Place,
    what: string | number,
    emit: (timeMs: number) => void,
  ): void {
    const { policy, resetMs } = policyState;
    const { table, key, inSharedRow } = charge;
    let tableNumber = this.#tableNumbers.get(table);
    if (tableNumber === undefined) this.#tableNumbers.set(table, (tableNumber = ++this.#lastTableNumber));
    const row = inSharedRow === true ? 'shared' : joinKey(key.hi, key.lo);
    const event = joinKey(tableNumber, table.policies.indexOf(policy), row, what);
    const nowMs = this.clock.monotonicMs();
    if (nowMs < (this.#emittedUntilMs.get(event) ?? -Infinity)) return;
    const { name, algorithm, windowMs } = policy;
    // `resetMs` is infinite for a request that costs more than the whole limit.
    const lastsMs = algorithm === 'fixed-window' ? Math.min(resetMs, windowMs) : windowMs;
    this.#emittedUntilMs.set(event, nowMs + lastsMs);
    const timeMs = this.clock.epochMs();
    if (storeKey === undefined) return emit(timeMs);
    this.once(joinKey('event', storeKey, algorithm, windowMs, name, what), lastsMs, () => emit(timeMs));
  }
}
