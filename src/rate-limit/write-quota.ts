import type { Clock } from '../common/clock.js';
import type { Call } from '../common/read-call.js';
import type { QuotaDecision } from '../limiter/consume.js';
import { quotaHeaders } from '../limiter/quota-headers.js';

/** Writes the state of a request's limits into the headers of its response. */
export type WriteQuota = (call: Call, decision: QuotaDecision) => void;

export const createQuotaWriter =
  (isInformative: boolean, clock: Clock): WriteQuota =>
  ({ state, response, isMessage }, decision) => {
    if (isMessage) return;
    const headers = quotaHeaders(decision, clock.epochMs(), isInformative);
    if (state !== undefined) {
      state.limits.quota = headers;
      return;
    }
    for (let index = 0; index < headers.length; index += 2)
      response?.setHeader(headers[index]!, headers[index + 1]!);
  };
