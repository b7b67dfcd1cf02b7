/* Rate limits: whether there is one, whether clients can read it, and whether it can be evaded. */
import { answerTo } from '../facts.js';
import { readLimit, readRetryAfter } from '../read-limit.js';
import type { ScanRule } from '../rule.js';

export const LIMIT_RULES: readonly ScanRule[] = [
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-S080',
    severity: 'warning',
    section: 'limits',
    title: 'No rate limit is seen.',
    why: 'one client can use up the app, or try credentials without end',
    remedy: 'Limit each client, and answer 429.',
    find: facts => {
      const { limited, sent } = facts.limits;
      return sent > 0 && limited === undefined && readLimit(answerTo(facts, 'page')).form === undefined
        ? [['The rate limit', `is missing: ${sent} requests in a row were served`]]
        : [];
    },
  },
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-S081',
    severity: 'note',
    section: 'limits',
    title: 'Clients cannot read the rate limit.',
    why: 'an agent that cannot see its limit runs into it',
    remedy: 'Send the RateLimit and RateLimit-Policy fields.',
    find: facts => {
      const { form } = readLimit(answerTo(facts, 'page'));
      if (form === 'malformed') return [['RateLimit', 'cannot be read']];
      return form === undefined && facts.limits.limited !== undefined
        ? [['RateLimit', 'is missing, and a 429 comes without a warning']]
        : [];
    },
  },
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-S082',
    severity: 'warning',
    section: 'limits',
    title: 'A 429 has no usable Retry-After.',
    why: 'clients repeat at once, or give up',
    remedy: 'Send whole seconds, rounded up, at least 1.',
    find: ({ limits: { limited }, nowMs }) => {
      if (limited === undefined) return [];
      const ms = readRetryAfter(limited, nowMs);
      if (ms === undefined) return [['Retry-After', 'of the 429 is missing or malformed']];
      return ms > 0 ? [] : [['Retry-After', 'of the 429 does not lie ahead']];
    },
  },
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-S083',
    severity: 'warning',
    section: 'limits',
    title: 'Retry-After is too short.',
    why: 'a client that waits as it was told is rejected again',
    remedy: 'Count the wait to the next request that is granted.',
    find: ({ limits: { retried } }) =>
      retried?.status === 429 ? [['Retry-After', 'has passed, and the next request gets 429']] : [],
  },
  {
    /** @see docs/guides/proxies.md */
    id: 'ASEC-S084',
    severity: 'error',
    section: 'limits',
    title: 'A forged address evades the limit.',
    why: 'a client has a new quota with each address that it invents',
    remedy: 'Trust the addresses of your proxies only (TRUST_PROXY).',
    find: ({ limits: { forged } }) =>
      forged !== undefined && forged.status !== 0 && forged.status !== 429
        ? [['An invented address', `in X-Forwarded-For or its like gets ${forged.status} in place of 429`]]
        : [],
  },
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-S085',
    severity: 'error',
    section: 'limits',
    title: 'A random API key or token evades the limit.',
    why: 'a client has a new quota with each key that it invents, and the counts fill the memory',
    remedy: 'Count keys that are verified only, and the address otherwise.',
    find: ({ limits: { randomKey } }) =>
      randomKey !== undefined && randomKey.status > 0 && randomKey.status < 400
        ? [['An invented credential', `gets ${randomKey.status} in place of 429`]]
        : [],
  },
];
