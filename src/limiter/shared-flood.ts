/* A limit per address that is checked before every request and shared by several processes without a round trip: each process counts, and
 * reports units to the store in the background. Once the store says that none is left, every process that reports denies until the reset. */
import { BoundedMap } from '../common/bounded-map.js';
import type { Clock } from '../common/clock.js';
import { addressBlock, type Key64 } from '../common/ip-address.js';
import { joinKey } from '../common/join-key.js';
import { EVERY_POLICY, type QuotaDecision } from './consume.js';
import type { Policy } from './policy.js';
import type { QuotaEngine } from './quota-engine.js';
import type { QuotaTable } from './table/quota-table.js';

/** A process reports each twentieth of the limit: at most 20 calls for each address and window. */
const REPORTS = 20;

interface Count {
  /** Granted units that are not reported yet, and since when. */
  units: number;
  sinceMs: number;
  isReporting: boolean;
  deniedUntilMs: number;
}

export class SharedFlood {
  readonly #counts: BoundedMap<string, Count>;
  readonly #table: QuotaTable;
  readonly #batch: number;

  constructor(
    private readonly policy: Policy,
    private readonly engine: QuotaEngine,
    private readonly clock: Clock,
  ) {
    this.#counts = new BoundedMap(engine.settings.maxClients);
    this.#table = engine.createTable([policy]);
    this.#batch = Math.ceil(policy.limit / REPORTS);
  }

  consume({ address, key }: { readonly address: string; readonly key: Key64 }): QuotaDecision {
    const nowMs = this.clock.monotonicMs();
    const place = joinKey(key.hi, key.lo);
    const known = this.#counts.get(place);
    if (known !== undefined && nowMs < known.deniedUntilMs) return this.#deny(known.deniedUntilMs - nowMs);
    const charge = { table: this.#table, mask: EVERY_POLICY, key, cost: 1 };
    const decision = this.engine.consumeLocally([charge]);
    if (decision.granted) this.#count(place, known, addressBlock(address), nowMs);
    return decision;
  }

  #deny(resetMs: number): QuotaDecision {
    const { policy } = this;
    return { granted: false, policyStates: [{ policy, remaining: 0, resetMs, violated: true }] };
  }

  #count(place: string, known: Count | undefined, partitionKey: string, nowMs: number): void {
    const count = known ?? { units: 0, sinceMs: nowMs, isReporting: false, deniedUntilMs: -Infinity };
    if (known === undefined) this.#counts.set(place, count);
    // What a slow client has sent in earlier windows must not count in this one.
    if (nowMs - count.sinceMs >= this.policy.windowMs) [count.units, count.sinceMs] = [0, nowMs];
    count.units++;
    if (count.units >= this.#batch && !count.isReporting) void this.#report(count, partitionKey, nowMs);
  }

  /** Charges what was granted, also beyond the limit. While the store fails, this process counts alone. Never rejects. */
  async #report(count: Count, partitionKey: string, nowMs: number): Promise<void> {
    const { units } = count;
    [count.units, count.sinceMs, count.isReporting] = [0, nowMs, true];
    const scope = joinKey('module', this.policy.name);
    const policies = [this.policy];
    const key = joinKey(scope, partitionKey);
    const stored = [{ key, scope, partitionKey, isAddress: true, policies, cost: units }];
    const decision = await this.engine.adjust([{ partitionKey, charges: [], stored }], units, {
      isShared: true,
      chargedMs: nowMs,
    });
    count.isReporting = false;
    const [state] = decision.policyStates;
    if (state?.remaining === 0)
      count.deniedUntilMs = this.clock.monotonicMs() + Math.min(state.resetMs, this.policy.windowMs);
  }
}
