/* What is unusual about an agent's use of tools, in this process's memory: its first use of a tool, a minute far above its usual ones, a
 * run of refusals. The formulas stand in docs/tools.md. */
import type { UnusualSettings } from './tools.options.js';

const MINUTE_MS = 60_000;
/** The weight of one minute in the usual rate: a memory of about an hour. */
const WEIGHT = 1 / 60;
/** Before that a pair has no usual rate. */
const WARM_UP_MINUTES = 10;
/** One agent's tools: one that makes up names forgets its own history, not that of others. */
const MAX_TOOLS = 64;

export interface Burst {
  /** Calls in the current minute. */
  readonly calls: number;
  /** Calls in a usual minute. */
  readonly usual: number;
}

interface Use {
  readonly sinceMinute: number;
  minute: number;
  calls: number;
  /** The weighted sum of the minutes before, not yet divided by the sum of their weights. */
  sum: number;
  burstMinute: number;
  /** When each alert of the tool was told last. */
  alerts: Map<number, number> | undefined;
}

interface Owner {
  readonly tools: Map<string, Use>;
  denials: number;
  denialsSinceMs: number;
}

export class UseTracker {
  /** In the order in which they were seen last. */
  readonly #owners = new Map<string, Owner>();
  #pairs = 0;

  constructor(private readonly settings: UnusualSettings) {}

  /** Pairs of owner and tool, an owner without a tool counting as one. */
  get size(): number {
    return this.#pairs;
  }

  /** Counts an allowed call. */
  use(
    partitionKey: string,
    tool: string,
    nowMs: number,
  ): { readonly isFirst: boolean; readonly tools: number; readonly burst: Burst | undefined } {
    const { tools } = this.#partitionKeyOf(partitionKey, nowMs);
    const minute = Math.floor(nowMs / MINUTE_MS);
    const known = tools.get(tool);
    const use = known ?? {
      sinceMinute: minute,
      minute,
      calls: 0,
      sum: 0,
      burstMinute: -Infinity,
      alerts: undefined,
    };
    tools.delete(tool);
    tools.set(tool, use);
    if (known === undefined && tools.size > 1) this.#pairs++;
    if (tools.size > MAX_TOOLS) {
      tools.delete(tools.keys().next().value!);
      this.#pairs--;
    }
    this.#makeRoom();
    roll(use, minute);
    use.calls++;
    return { isFirst: known === undefined, tools: tools.size, burst: this.#burstOf(use) };
  }

  /** Counts a refused call. @returns how many there were in this minute, where that is to be told: at the run, twice it, four times … */
  deny(partitionKey: string, nowMs: number): number | undefined {
    const state = this.#partitionKeyOf(partitionKey, nowMs);
    this.#makeRoom();
    if (nowMs - state.denialsSinceMs >= MINUTE_MS) {
      state.denials = 0;
      state.denialsSinceMs = nowMs;
    }
    state.denials++;
    const runs = state.denials / this.settings.denialRun;
    return Number.isInteger(runs) && Number.isInteger(Math.log2(runs)) ? state.denials : undefined;
  }

  /** Whether alert `index` of a tool has not been told within its window. */
  isNew(partitionKey: string, tool: string, index: number, windowMs: number, nowMs: number): boolean {
    const use = this.#owners.get(partitionKey)?.tools.get(tool);
    if (use === undefined) return true;
    const told = use.alerts?.get(index);
    if (told !== undefined && nowMs - told < windowMs) return false;
    (use.alerts ??= new Map()).set(index, nowMs);
    return true;
  }

  #burstOf(use: Use): Burst | undefined {
    const minutes = use.minute - use.sinceMinute;
    if (minutes < WARM_UP_MINUTES || use.minute - use.burstMinute < WARM_UP_MINUTES) return undefined;
    // Divided by the weights so far: else a pair seen for ten minutes would seem to have made few calls.
    const usual = use.sum / (1 - (1 - WEIGHT) ** minutes);
    const { burstMinimum, burstFactor } = this.settings;
    if (use.calls < burstMinimum || use.calls < burstFactor * usual) return undefined;
    use.burstMinute = use.minute;
    return { calls: use.calls, usual };
  }

  #partitionKeyOf(name: string, nowMs: number): Owner {
    const known = this.#owners.get(name);
    const partitionKey = known ?? { tools: new Map<string, Use>(), denials: 0, denialsSinceMs: nowMs };
    if (known === undefined) this.#pairs++;
    else this.#owners.delete(name);
    this.#owners.set(name, partitionKey);
    return partitionKey;
  }

  #makeRoom(): void {
    while (this.#pairs > this.settings.maxTracked) {
      const [name, { tools }] = this.#owners.entries().next().value!;
      this.#owners.delete(name);
      this.#pairs -= Math.max(1, tools.size);
    }
  }
}

/** Turns to a minute; those since the last call had none. */
function roll(use: Use, minute: number): void {
  const passed = minute - use.minute;
  if (passed <= 0) return;
  use.sum = (use.sum * (1 - WEIGHT) + use.calls * WEIGHT) * (1 - WEIGHT) ** (passed - 1);
  use.minute = minute;
  use.calls = 0;
}
