/* The health of what the module depends on, as an indicator of Terminus reads it. It imports nothing of Terminus. */
import type { SinkStatus } from '../audit/sink-writer.js';
import { within } from '../common/within.js';
import type { StoreErrorPolicy } from '../limiter/quota-engine.js';

/** A key store of the app may ask a database. */
const DEADLINE_MS = 1_000;

type UpOrDown = 'up' | 'down';

/**
 * The result of `AgentSecurityHealth.check()`, under its key. A part that the app does not use is left out.
 * @example
 * const isServing = ({ status }: AgentSecurityStatus) => status !== 'down';
 */
export interface AgentSecurityStatus {
  /**
   * `down` where requests are rejected since a part is down; `degraded` where the shared store of limits is down and `onStoreError` is
   * `'local'` or `'allow'`, so that the app serves all the same.
   */
  readonly status: 'up' | 'degraded' | 'down';
  /** The shared store of limits. `circuit` is `open` while no request waits for it. */
  readonly limits?: { readonly status: 'up' | 'down'; readonly circuit: 'open' | 'closed' };
  /** The store of API keys. */
  readonly keys?: { readonly status: 'up' | 'down' };
  /** The sinks of audit records, and the names of those that fail. */
  readonly audit?: { readonly status: 'up' | 'down'; readonly failing: readonly string[] };
}

interface HealthParts {
  readonly limits: {
    readonly hasStore: boolean;
    readonly isCircuitOpen: boolean;
    readonly settings: { readonly onStoreError: StoreErrorPolicy };
    checkStore(): Promise<boolean>;
  };
  readonly keys: { checkStore(): Promise<void> } | undefined;
  readonly audit: { readonly sinkStatuses: readonly SinkStatus[] };
}

/**
 * An indicator for `@nestjs/terminus`: the shared store of limits and its circuit, the key store, and the sinks of the audit. See
 * docs/telemetry.md#health.
 * @example
 * class HealthController {
 *   constructor(private readonly health: HealthCheckService, private readonly security: AgentSecurityHealth) {}
 *
 *   check() {
 *     return this.health.check([() => this.security.check()]);
 *   }
 * }
 */
export class AgentSecurityHealth {
  readonly #parts: HealthParts;
  /** The check in progress, which all callers share: a public health route must not let strangers put load on the stores. */
  #checking: Promise<AgentSecurityStatus> | undefined;

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  /** Asks each part. Never rejects. @param key the name of the indicator in the result */
  async check<const K extends string = 'agent-security'>(
    key: K = 'agent-security' as K,
  ): Promise<Record<K, AgentSecurityStatus>> {
    this.#checking ??= this.#check().finally(() => (this.#checking = undefined));
    return { [key]: await this.#checking } as Record<K, AgentSecurityStatus>;
  }

  async #check(): Promise<AgentSecurityStatus> {
    const [limits, keys] = await Promise.all([this.#checkLimits(), this.#checkKeys()]);
    const audit = this.#checkAudit();
    const { onStoreError } = this.#parts.limits.settings;
    const isRejecting = [onStoreError === 'deny' ? limits : undefined, keys, audit].some(isDown);
    return {
      status: isRejecting ? 'down' : isDown(limits) ? 'degraded' : 'up',
      ...(limits && { limits }),
      ...(keys && { keys }),
      ...(audit && { audit }),
    };
  }

  async #checkLimits(): Promise<AgentSecurityStatus['limits']> {
    const { limits } = this.#parts;
    if (!limits.hasStore) return undefined;
    const status = upIf(await limits.checkStore());
    return { status, circuit: limits.isCircuitOpen ? 'open' : 'closed' };
  }

  async #checkKeys(): Promise<AgentSecurityStatus['keys']> {
    const { keys } = this.#parts;
    if (keys === undefined) return undefined;
    return within(keys.checkStore(), DEADLINE_MS).then(
      () => ({ status: 'up' }),
      () => ({ status: 'down' }),
    );
  }

  #checkAudit(): AgentSecurityStatus['audit'] {
    const { sinkStatuses } = this.#parts.audit;
    if (sinkStatuses.length === 0) return undefined;
    const failing = sinkStatuses.filter(({ isFailing }) => isFailing).map(({ name }) => name);
    return { status: upIf(failing.length === 0), failing };
  }
}

const isDown = (part: { readonly status: UpOrDown } | undefined): boolean => part?.status === 'down';
const upIf = (isUp: boolean): UpOrDown => (isUp ? 'up' : 'down');
