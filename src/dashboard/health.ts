/* Whether what the module depends on works: the store of limits, the key store, the audit sinks. */
import type { AuditTrail } from '../audit/audit-trail.js';
import { looksSecret } from '../common/show-value.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { QuotaEngine } from '../limiter/quota-engine.js';
import type { AgentSecurityHealth, AgentSecurityStatus } from '../telemetry/agent-security-health.js';
import { shorten } from './recent-rejections.js';

export interface HealthRow {
  readonly name: string;
  readonly state: 'ok' | 'failing' | 'off';
  readonly detail: string;
}

interface HealthParts {
  readonly indicator: Pick<AgentSecurityHealth, 'check'>;
  readonly engine: Pick<QuotaEngine, 'hasStore' | 'isCircuitOpen'>;
  readonly audit: Pick<AuditTrail, 'sinkStatuses'>;
  /** Where the API keys come from; `undefined` for none. */
  readonly keysOrigin: string | undefined;
  readonly events: SecurityEvents;
}

export class Health {
  #status: AgentSecurityStatus | undefined;
  #storeReason: string | undefined;

  constructor(private readonly parts: HealthParts) {
    parts.events.on('limit.store', ({ reason }) => {
      // The message of a driver may hold a secret in another form than the password of a URL, which is hidden already.
      const isShown = reason !== undefined && !looksSecret(reason);
      this.#storeReason = isShown ? shorten(reason) : undefined;
    });
  }

  /** Asks the stores, which may have failed or recovered while no request needed them. Never rejects. */
  async ask(): Promise<void> {
    this.#status = (await this.parts.indicator.check('app')).app;
  }

  rows(): readonly HealthRow[] {
    const { audit, keysOrigin } = this.parts;
    const sinks = audit.sinkStatuses.map(({ name, isFailing, queued, chain }): HealthRow => ({
      name: `Audit: ${name}`,
      state: isFailing ? 'failing' : 'ok',
      detail: [
        ...(chain === undefined ? [] : [`${describeChain(chain)}`]),
        ...(queued === 0 ? [] : [`${queued} records wait`]),
      ].join(', '),
    }));
    return [
      this.#store(),
      ...(keysOrigin === undefined ? [] : [this.#keys(keysOrigin)]),
      ...(sinks.length === 0 ? [{ name: 'Audit', state: 'off', detail: 'audit is off' } as const] : sinks),
    ];
  }

  #store(): HealthRow {
    const name = 'Store of limits';
    const { hasStore, isCircuitOpen } = this.parts.engine;
    if (!hasStore) return { name, state: 'off', detail: 'this process counts for itself' };
    if (isCircuitOpen || this.#status?.limits?.status === 'down')
      return {
        name,
        state: 'failing',
        detail: `circuit ${isCircuitOpen ? 'open' : 'closed'}: ${this.#storeReason ?? 'it does not answer'}`,
      };
    return { name, state: 'ok', detail: 'circuit closed' };
  }

  #keys(origin: string): HealthRow {
    const isFailing = this.#status?.keys?.status === 'down';
    const detail = isFailing ? `${origin}: credentials cannot be verified` : origin;
    return { name: 'API keys', state: isFailing ? 'failing' : 'ok', detail };
  }
}

const describeChain = ({ seq, hash, isKeyed }: { seq: number; hash: string; isKeyed: boolean }): string =>
  `chain confirmed to line ${seq}, ${isKeyed ? 'sealed with a key' : 'without a key'}, ${hash.slice(0, 12)}`;
