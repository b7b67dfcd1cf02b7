/* Decides about a request that needs more than the counts of this process: functions of the app, a shared store, a lease, an event. */
import type { ExecutionContext } from '@nestjs/common';
import type { Clock } from '../common/clock.js';
import { pairsOf } from '../common/header-lines.js';
import { rawRequest } from '../common/http-request.js';
import type { ObserveQuota } from '../common/quota-observer.js';
import type { Call, LimitedRequest } from '../common/read-call.js';
import type { QuotaDecision } from '../limiter/consume.js';
import type { Decided, QuotaEngine } from '../limiter/quota-engine.js';
import { quotaLines } from '../limiter/quota-headers.js';
import { checkPartitionKey, isConcurrency, type QuotaClient } from '../limiter/quota-request.js';
import { callApp } from './app-function.js';
import {
  type AnyGroup,
  createDefaultQuotaRequest,
  createQuotaRequest,
  isFixed,
} from './create-quota-request.js';
import type { GuardOverrides } from './guard-overrides.js';
import { releaseWhenDone } from './release-when-done.js';
import type { ResolvedRateLimit } from './rate-limit.options.js';
import { keepReservations } from './reservation.js';
import type { RoutePlan, RoutePlans } from './route-plan.js';
import { restrictAll } from '../limiter/restrict-request.js';

type RequestDecision =
  /** Nothing limits the request. */
  | { readonly outcome: 'unlimited' }
  /** The shared store fails, and the counts of this process do not stand in for it. */
  | { readonly outcome: 'unavailable' }
  | { readonly outcome: 'decided'; readonly decided: Decided; readonly partitionKey: string }
  /** A function of the app has failed. The request is counted without it, as far as it has quotas then. */
  | {
      readonly outcome: 'failed';
      readonly fault: unknown;
      readonly decided: Decided | undefined;
      readonly partitionKey: string | undefined;
    };

export interface DeciderParts {
  readonly settings: Pick<ResolvedRateLimit, 'tier'>;
  readonly engine: QuotaEngine;
  readonly plans: RoutePlans;
  readonly write: WriteQuota;
}

const quotaClientOf = ({ state }: Call): QuotaClient => ({
  requestId: state?.id || undefined,
  address: state?.client.address,
  agent: state?.agent?.id,
});

export async function decideRequest(
  parts: DeciderParts,
  context: ExecutionContext,
  plan: RoutePlan,
  call: Call,
  overrides: GuardOverrides,
): Promise<RequestDecision> {
  const { engine, write } = parts;
  const faults: unknown[] = [];
  const attempt = async <T>(work: () => Promise<T> | T): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      faults.push(error);
      return undefined;
    }
  };
  const { shouldSkip } = overrides;
  if (
    shouldSkip &&
    (await attempt(() => callApp('shouldSkip()', shouldSkip, () => shouldSkip(context), Boolean))) === true
  )
    return { outcome: 'unlimited' };
  const tier = plan.tiers.size > 0 ? await attempt(() => tierOf(parts, context, call)) : undefined;
  if (tier !== undefined && tier !== '' && !plan.tiers.has(tier))
    engine.reportUnknownTier(tier, quotaClientOf(call));
  const fixed = (tier === undefined ? undefined : plan.tiers.get(tier)) ?? plan.groups;
  const late = await Promise.all(plan.dynamicThrottles.map(create => attempt(() => create(context))));
  const groups = [...fixed, ...late];
  const created = await Promise.all(
    groups.map(group => group && attempt(() => createQuotaRequest(context, group, call, overrides))),
  );
  const quotaRequests = created.filter(quotaRequest => quotaRequest !== undefined);
  if (quotaRequests.length === 0 && faults.length === 0) return { outcome: 'unlimited' };
  const decided =
    faults.length > 0 ? undefined : await attempt(() => engine.decide(quotaRequests, quotaClientOf(call)));
  if (faults.length > 0) return countWithoutAppFunctions(parts, call, groups, faults[0]);
  if (decided === undefined) return { outcome: 'unavailable' };
  if (decided.decision.granted) {
    const lease = engine.lease(quotaRequests, decided);
    if (lease !== undefined) releaseWhenDone(lease, call);
    keepReservations(write, call, groups as readonly AnyGroup[], quotaRequests, decided);
  }
  return { outcome: 'decided', decided, partitionKey: quotaRequests[0]!.partitionKey };
}

/**
 * Counts a request whose functions have failed: one unit of each of its limits, by the client or the address. Concurrency limits are left
 * out, since the request does not reach its handler. A limit that has no counts without the function is replaced by the module's limits.
 */
async function countWithoutAppFunctions(
  { engine, plans }: DeciderParts,
  call: Call,
  groups: readonly (AnyGroup | undefined)[],
  fault: unknown,
): Promise<RequestDecision> {
  const counted = groups.filter(group => group !== undefined).filter(isFixed);
  const isPartial = counted.length < groups.length;
  const modules = isPartial
    ? plans.moduleGroups.filter(({ table }) => !counted.some(group => group.table === table))
    : [];
  const quotaRequests = restrictAll(
    [...counted, ...modules].map(group => createDefaultQuotaRequest(group, call)),
    policy => !isConcurrency(policy),
  );
  const decided =
    quotaRequests.length === 0 ? undefined : await engine.decide(quotaRequests, quotaClientOf(call));
  return { outcome: 'failed', fault, decided, partitionKey: quotaRequests[0]?.partitionKey };
}

/** Takes the module's quotas by the counts of this process, without waiting for a shared store; `undefined` if there are none. */
export function chargeUnguarded(
  { engine, plans, write }: DeciderParts,
  call: Call,
): QuotaDecision | undefined {
  const quotaRequests = plans.moduleGroups.map(group => createDefaultQuotaRequest(group, call));
  if (quotaRequests.length === 0) return undefined;
  const decision = engine.charge(quotaRequests, quotaClientOf(call));
  write(call, decision);
  return decision;
}

function tierOf(
  { settings: { tier } }: DeciderParts,
  context: ExecutionContext,
  { request, state }: Call,
): string | undefined | Promise<string | undefined> {
  if (tier === undefined) return state?.agent?.tier;
  return callApp(
    'rateLimit.tier',
    tier,
    () => tier(request, context),
    value => checkPartitionKey('A tier', value),
  );
}

/** Writes the state of a request's limits into the headers of its response. */
export type WriteQuota = (call: Call, decision: QuotaDecision) => void;

export const createQuotaWriter =
  (isInformative: boolean, clock: Clock, observe?: ObserveQuota): WriteQuota =>
  ({ state, response, isMessage }, decision) => {
    if (observe !== undefined && state !== undefined) observe(state, decision.policyStates);
    if (isMessage) return;
    const lines = quotaLines(decision, clock.epochMs(), isInformative);
    if (state !== undefined) {
      state.limits.quotaLines = lines;
      return;
    }
    const headers = pairsOf(lines);
    for (let index = 0; index < headers.length; index += 2)
      response?.setHeader(headers[index]!, headers[index + 1]!);
  };

/** Whether a request has one of `rateLimit.exemptPaths`. Usually there are none, and nothing of the request is read. */
export const isExempt = (
  { exemptPaths }: Pick<ResolvedRateLimit, 'exemptPaths'>,
  request: LimitedRequest,
): boolean => !exemptPaths.isEmpty && exemptPaths.has(rawRequest(request).url ?? '');
