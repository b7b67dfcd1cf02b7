/* What an operator can do from the page: disable an agent, reset a quota. Each action is a call of impact high in the audit trail. */
import type { AuditTrail } from '../audit/audit-trail.js';
import { canonicalAddress } from '../common/ip-address.js';
import { type Log, logLine } from '../common/log-text.js';
import { isRecord } from '../common/read-options.js';
import { type Rejection, temporarilyUnavailable } from '../common/rejection.js';
import type { RequestState } from '../common/request-state.js';
import type { LimitedClient, UnguardedLimiter } from '../common/unguarded-limiter.js';
import type { ApiKeyStore } from '../identity/api-key-store.js';
import { reject } from './dashboard-answers.js';

interface ActionParts {
  readonly audit: Pick<AuditTrail, 'begin'>;
  /** `undefined` where `rateLimit` is off. */
  readonly limiter: UnguardedLimiter | undefined;
  /** `undefined` where there are no API keys. */
  readonly keys: ApiKeyStore | undefined;
  readonly log: Pick<Log, 'error'>;
}

const NOT_FOUND = reject(404, 'not_found', 'The key store has no such agent.');
const UNAVAILABLE = temporarilyUnavailable({
  code: 'identity_unavailable',
  detail: 'The key store could not be changed. The log has the reason.',
});
const NOT_RESET = temporarilyUnavailable({
  code: 'limits_unavailable',
  detail: 'The store of limits has not reset the quota.',
});
const FORMS =
  'Send {"action":"disable-agent","agent":"…"} or {"action":"reset-quota"} with an agent or an address.';

export class DashboardActions {
  constructor(private readonly parts: ActionParts) {}

  /** The actions that this app has. */
  get offered(): { readonly disableAgent: boolean; readonly resetQuota: boolean } {
    const { keys, limiter } = this.parts;
    return {
      disableAgent: keys?.disableAgent !== undefined,
      resetQuota: limiter?.resetClient !== undefined,
    };
  }

  /** @returns the rejection, if nothing was done */
  async run(body: unknown, state: RequestState): Promise<Rejection | undefined> {
    const { action, agent, address } = isRecord(body) ? body : {};
    const target = readTarget(agent, address);
    if (
      action === 'disable-agent' &&
      this.offered.disableAgent &&
      target !== undefined &&
      'agent' in target
    ) {
      if (target.agent === state.agent?.id)
        return reject(400, 'bad_request', 'You cannot disable the agent that you are signed in as.');
      return this.#audited(action, target, state, () => this.#disable(target.agent));
    }
    if (action === 'reset-quota' && this.offered.resetQuota && target !== undefined)
      return this.#audited(action, target, state, async () =>
        (await this.parts.limiter!.resetClient!(target)) ? undefined : NOT_RESET,
      );
    return reject(400, 'bad_request', FORMS);
  }

  async #audited(
    action: string,
    params: LimitedClient,
    { agent, client, id }: RequestState,
    act: () => Promise<Rejection | undefined>,
  ): Promise<Rejection | undefined> {
    const start = await this.parts.audit.begin({
      tool: `dashboard:${action}`,
      impact: 'high',
      agent: agent?.id,
      address: client.address,
      requestId: id,
      params,
    });
    if (!start.recorded) return start;
    const rejection = await act().catch((error: unknown) => {
      this.parts.log.error(logLine`The action "${action}" of the dashboard failed: ${error}`);
      return UNAVAILABLE;
    });
    const { status, code } = rejection?.problem ?? { status: 200, code: undefined };
    start.call.finish({ outcome: rejection === undefined ? 'ok' : 'failed', status, code });
    return rejection;
  }

  async #disable(id: string): Promise<Rejection | undefined> {
    const { keys } = this.parts;
    if (keys!.findAgent !== undefined && (await keys!.findAgent(id)) === undefined) return NOT_FOUND;
    await keys!.disableAgent!(id);
    return undefined;
  }
}

/** Exactly one of the two. */
function readTarget(agent: unknown, address: unknown): LimitedClient | undefined {
  if (typeof agent === 'string' && agent !== '' && address === undefined) return { agent };
  const canonical =
    typeof address === 'string' && agent === undefined ? canonicalAddress(address) : undefined;
  return canonical === undefined ? undefined : { address: canonical };
}
