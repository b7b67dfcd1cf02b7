/* Leases of concurrency limits that a shared store must get back. A release that fails is kept and sent again when the store answers:
 * without it, the client would miss the lease until it ends. */
import type { Clock } from '../../common/clock.js';
import type { QuotaDecision } from '../consume.js';
import type { QuotaStore, StoredCharge } from './quota-store.js';

interface Release {
  readonly charge: StoredCharge;
  /** On the monotonic clock. */
  readonly leasedMs: number;
  tries: number;
}

/** Beyond it the oldest releases are dropped; their leases end by themselves. */
const MAX_KEPT = 10_000;
/** A key that the store can never write must not cost a call for ever. */
const MAX_TRIES = 5;

export class LeaseReleases {
  readonly #kept: Release[] = [];
  readonly #sending = new Set<Promise<void>>();

  constructor(
    private readonly store: QuotaStore,
    private readonly clock: Clock,
  ) {}

  /** Keeps releases until `send()`. */
  add(charges: readonly StoredCharge[], leasedMs: number): void {
    for (const charge of charges) this.#keep({ charge, leasedMs, tries: 0 });
  }

  /** Sends the releases that are kept. Does not wait for the store. */
  send(): void {
    for (const release of this.#kept.splice(0)) this.#send(release);
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** Settles when the store has answered every release that was sent. */
  async sent(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending);
  }

  #keep(release: Release): void {
    if (release.tries >= MAX_TRIES) return;
    if (this.#kept.length >= MAX_KEPT) this.#kept.shift();
    this.#kept.push(release);
  }

  #send(release: Release): void {
    release.tries++;
    const sending = this.#settle(release)
      // Only a failed release is sent again. A late one will still be carried out; sent twice, it would end the lease of another request.
      .catch(() => this.#keep(release))
      .finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }

  async #settle({ charge, leasedMs }: Release): Promise<void> {
    const ageMs = Math.max(0, this.clock.monotonicMs() - leasedMs);
    await this.store.settle?.([charge], -charge.cost, ageMs);
  }
}

/** The leases that a decision has granted, as charges of their own. */
export function leasesOf(
  charges: readonly StoredCharge[],
  { granted, policyStates }: QuotaDecision,
): StoredCharge[] {
  if (!granted) return [];
  const taken = new Set(policyStates.filter(({ violated }) => !violated).map(({ policy }) => policy));
  return charges.flatMap(charge => {
    const policies = charge.policies.filter(
      policy => policy.algorithm === 'concurrency' && taken.has(policy),
    );
    return policies.length === 0 || charge.cost === 0 ? [] : [{ ...charge, policies }];
  });
}
