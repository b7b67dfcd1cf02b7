/* The security events about calls of tools, and the history of callers that they depend on. */
import { BoundedMap } from '../common/bounded-map.js';
import type { Clock } from '../common/clock.js';
import { joinKey } from '../common/join-key.js';
import type { ProblemFields } from '../common/problem.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { QuotaDecision } from '../limiter/consume.js';
import type { Once } from '../limiter/quota-events.js';
import type { Tool, ToolCall, ToolRejection } from './tool.js';
import { partitionKeyOf } from './tool-quotas.js';

/** Longer names are of no tool, and would only fill memory. */
export const MAX_TOOL_NAME = 256;

export class ToolEvents {
  /** Agents and addresses apart: a flood of addresses must not displace agents. */
  readonly #agents = new UseTracker();
  readonly #addresses = new UseTracker();

  constructor(
    private readonly events: SecurityEvents,
    private readonly clock: Clock,
    private readonly once: Once,
  ) {}

  emitRejected(call: ToolCall, reason: ToolRejection, { code }: ProblemFields): void {
    const context = this.#contextOf(call);
    this.events.emit({ type: 'tool.rejected', ...context, reason, code });
    const count = this.#trackerOf(call).recordDenial(partitionKeyOf(call), this.clock.monotonicMs());
    if (count !== undefined) this.events.emit({ type: 'tool.denials', ...context, count, reason });
  }

  /** @param decision of the tool's quota, if it has one that was charged */
  emitUsed(call: ToolCall, tool: Tool, decision?: QuotaDecision): void {
    const nowMs = this.clock.monotonicMs();
    const tools = this.#trackerOf(call).recordUse(partitionKeyOf(call), tool.name, nowMs);
    if (tools !== undefined)
      this.events.emit({ type: 'tool.first-use', ...this.#contextOf(call), impact: tool.impact, tools });
    if (decision !== undefined) this.#emitThresholds(call, tool, decision, nowMs);
  }

  /** A count in a sliding window may pass a threshold again; then this process or another may have told already. */
  #emitThresholds(call: ToolCall, tool: Tool, { policyStates }: QuotaDecision, nowMs: number): void {
    for (const [index, { policy, calls, threshold }] of tool.alerts.entries()) {
      const policyState = policyStates.find(each => each.policy.name === policy.name);
      if (policyState === undefined || policyState.violated) continue;
      const used = policy.burst - policyState.remaining;
      // Passed by this call: of the processes that share the quota, one emits the event.
      if (used < calls || used - 1 >= calls) continue;
      const { limit, windowMs } = policy;
      const partitionKey = partitionKeyOf(call);
      if (!this.#trackerOf(call).startAlert(partitionKey, tool.name, index, windowMs, nowMs)) continue;
      const context = this.#contextOf(call);
      const alert = joinKey('tool-alert', tool.name, partitionKey, index);
      this.once(alert, windowMs, () =>
        this.events.emit({ type: 'tool.threshold', ...context, threshold, used, limit, windowMs }),
      );
    }
  }

  #trackerOf({ agent }: ToolCall): UseTracker {
    return agent === undefined ? this.#addresses : this.#agents;
  }

  #contextOf({ requestId, address, agent, tool }: ToolCall) {
    return {
      timeMs: this.clock.epochMs(),
      requestId,
      address,
      agent: agent?.id,
      tool: tool.slice(0, MAX_TOOL_NAME),
    };
  }
}

const MINUTE_MS = 60_000;
/** Denied calls of a caller within a minute that are reported, and then each doubling of it: more than a client's first mistakes. */
const DENIAL_RUN = 5;
/** Pairs of caller and tool, a caller without a tool counting as one: about 40 MB. */
const MAX_PAIRS = 100_000;
/** A caller that invents names forgets its own history, not that of others. */
const MAX_TOOLS = 64;

/** When each alert of the tool was emitted last; `undefined` until one is. */
type Alerts = Map<number, number> | undefined;

interface Caller {
  readonly tools: BoundedMap<string, Alerts>;
  denials: number;
  denialsSinceMs: number;
}

/** First uses of tools and runs of denied calls, by caller, in this process's memory. */
export class UseTracker {
  /** In the order of their last calls. */
  readonly #callers = new Map<string, Caller>();
  #pairs = 0;

  constructor(private readonly maxPairs = MAX_PAIRS) {}

  get size(): number {
    return this.#pairs;
  }

  /** Counts an allowed call. @returns how many tools the caller has called, if this is its first call of this one */
  recordUse(partitionKey: string, tool: string, nowMs: number): number | undefined {
    const caller = this.#callerOf(partitionKey, nowMs);
    const { tools } = caller;
    const isFirst = !tools.has(tool);
    const before = pairsOf(caller);
    tools.set(tool, tools.get(tool));
    this.#pairs += pairsOf(caller) - before;
    this.#makeRoom();
    return isFirst ? tools.size : undefined;
  }

  /** Counts a denied call. @returns how many there were in this minute, if that is to be reported */
  recordDenial(partitionKey: string, nowMs: number): number | undefined {
    const caller = this.#callerOf(partitionKey, nowMs);
    this.#makeRoom();
    if (nowMs - caller.denialsSinceMs >= MINUTE_MS) {
      caller.denials = 0;
      caller.denialsSinceMs = nowMs;
    }
    const runs = ++caller.denials / DENIAL_RUN;
    return Number.isInteger(runs) && Number.isInteger(Math.log2(runs)) ? caller.denials : undefined;
  }

  /** Whether alert `index` of a tool was not emitted within its window; it counts as emitted from then on. */
  startAlert(partitionKey: string, tool: string, index: number, windowMs: number, nowMs: number): boolean {
    const tools = this.#callers.get(partitionKey)?.tools;
    if (tools?.has(tool) !== true) return true;
    const alerts = tools.get(tool) ?? new Map<number, number>();
    const emittedMs = alerts.get(index);
    if (emittedMs !== undefined && nowMs - emittedMs < windowMs) return false;
    tools.set(tool, alerts.set(index, nowMs));
    return true;
  }

  #callerOf(partitionKey: string, nowMs: number): Caller {
    const known = this.#callers.get(partitionKey);
    const caller = known ?? { tools: new BoundedMap(MAX_TOOLS), denials: 0, denialsSinceMs: nowMs };
    if (known === undefined) this.#pairs++;
    else this.#callers.delete(partitionKey);
    this.#callers.set(partitionKey, caller);
    return caller;
  }

  #makeRoom(): void {
    while (this.#pairs > this.maxPairs) {
      const [partitionKey, oldest] = this.#callers.entries().next().value!;
      this.#callers.delete(partitionKey);
      this.#pairs -= pairsOf(oldest);
    }
  }
}

const pairsOf = ({ tools }: Caller): number => Math.max(1, tools.size);
