/* How agents and addresses stand with their limits: those nearest to one. */
import { BoundedMap } from '../common/bounded-map.js';
import type { Clock } from '../common/clock.js';
import { addressBlock } from '../common/ip-address.js';
import { joinKey } from '../common/join-key.js';
import type { ObservedLimit } from '../common/quota-observer.js';

export interface UsageRow {
  readonly agent?: string | undefined;
  readonly address?: string | undefined;
  /** The name of the limit. */
  readonly policy: string;
  readonly used: number;
  readonly limit: number;
  /** When units return, in milliseconds since the epoch. */
  readonly resetMs: number;
  /** Whether the last request was over the limit. */
  readonly isOver: boolean;
}

/** Of agents and of addresses each. */
const MAX_ROWS = 200;
const MAX_LISTED = 20;
/** Below this share of a limit, a client is not near it. */
const MIN_SHARE = 0.2;
/** How long a row stays at least: a limit of a second would flicker. */
const MIN_SHOWN_MS = 5_000;

export class LimitUsage {
  /** Apart, so that a flood of addresses does not displace agents. */
  readonly #agents = new BoundedMap<string, UsageRow & { readonly untilMs: number }>(MAX_ROWS);
  readonly #addresses = new BoundedMap<string, UsageRow & { readonly untilMs: number }>(MAX_ROWS);

  constructor(private readonly clock: Clock) {}

  note(client: Pick<UsageRow, 'agent' | 'address'>, limit: ObservedLimit): void {
    const { policy, remaining, resetMs, violated } = limit;
    const used = policy.burst - remaining;
    if (!violated && used < policy.burst * MIN_SHARE) return;
    const { agent, address } = client;
    const waitMs = Number.isFinite(resetMs) ? resetMs : 0;
    const name = agent ?? addressBlock(address ?? '');
    (agent === undefined ? this.#addresses : this.#agents).set(joinKey(name, policy.name), {
      agent,
      // The last one of the block.
      address: agent === undefined ? address : undefined,
      policy: policy.name,
      used,
      limit: policy.burst,
      resetMs: Math.round(this.clock.epochMs() + waitMs),
      isOver: violated,
      untilMs: this.clock.monotonicMs() + Math.max(waitMs, MIN_SHOWN_MS),
    });
  }

  list(): readonly UsageRow[] {
    const nowMs = this.clock.monotonicMs();
    const rows = [...this.#agents.values(), ...this.#addresses.values()].filter(
      ({ untilMs }) => untilMs > nowMs,
    );
    return nearest(rows.map(({ untilMs: _untilMs, ...row }) => row));
  }
}

const shareOf = ({ used, limit, isOver }: UsageRow): number => (isOver ? 1 : used / limit);

/** The nearest first. Of several processes, each counts alone or all have one count: the highest says more than a sum. */
export function nearest(rows: readonly UsageRow[]): readonly UsageRow[] {
  const seen = new Set<string>();
  return rows
    .toSorted((a, b) => shareOf(b) - shareOf(a) || b.resetMs - a.resetMs)
    .filter(({ agent, address, policy }) => {
      const name = joinKey(agent === undefined ? 'address' : 'agent', agent ?? address ?? '', policy);
      return !seen.has(name) && seen.add(name);
    })
    .slice(0, MAX_LISTED);
}
