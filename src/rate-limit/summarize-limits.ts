/* The limits in the start-up summary: how much, for whom, and where they are counted. */
import { type FeatureSummary, summarizeList } from '../common/feature.js';
import { risk } from '../common/risk.js';
import { findOtherProcesses } from '../common/several-processes.js';
import { type AnyRule, isDynamic } from './limit-rule.js';
import type { ResolvedRateLimit } from './rate-limit.options.js';

export function summarizeLimits(limits: ResolvedRateLimit | false): FeatureSummary {
  if (limits === false)
    return {
      text: 'limits: none',
      warnings: [risk('ASEC-C005', 'rateLimit', 'is off', 'no client is limited', 'Set rateLimit.')],
    };
  const { flood, tiers, shadow, store, redisUrl } = limits;
  const isLocal = store === undefined && redisUrl === undefined;
  const others = isLocal ? findOtherProcesses(process.env) : undefined;
  const parts = [
    `limits: ${summarizeList(limits.limits.map(describeRule))} ${describeKey(limits.key)}`,
    ...(flood === undefined ? [] : [`${flood.text} per address before routing`]),
    ...(tiers.size === 0 ? [] : [`tiers ${summarizeList(tiers.keys())}`]),
    `counted in ${isLocal ? 'the memory of this process' : describeStore(redisUrl)}`,
  ];
  return {
    text: parts.join('; '),
    warnings: [
      ...(others === undefined
        ? []
        : [
            risk(
              'ASEC-C008',
              'rateLimit.store',
              `is the memory of each process, and ${others}`,
              'clients get a multiple of their limits',
              'Set REDIS_URL or rateLimit.store.',
            ),
          ]),
      ...(shadow
        ? [
            risk(
              'ASEC-C006',
              'rateLimit.shadow',
              'is on',
              'requests over a limit are counted and not rejected',
              'Remove it once the limits fit.',
            ),
          ]
        : []),
      ...(limits.limits.some(rule => !isDynamic(rule) && rule.policy.shadow)
        ? [
            risk(
              'ASEC-C006',
              'rateLimit.limits',
              'has a limit in shadow mode',
              'requests over it are counted and not rejected',
              'Remove shadow once the limit fits.',
            ),
          ]
        : []),
      ...(flood === undefined
        ? [
            risk(
              'ASEC-C007',
              'rateLimit.flood',
              'is off',
              'rejected requests are not limited per address',
              'Leave it out, or set a limit such as "100/second".',
            ),
          ]
        : []),
    ],
  };
}

const describeRule = (rule: AnyRule): string => (isDynamic(rule) ? 'a dynamic limit' : rule.policy.text);

function describeKey(key: ResolvedRateLimit['key']): string {
  if (typeof key === 'function') return 'per key of a function';
  return key === 'global' ? 'for all clients together' : `per ${key ?? 'client'}`;
}

/** Without the user and the password of the URL. */
function describeStore(redisUrl: string | undefined): string {
  return redisUrl === undefined
    ? 'rateLimit.store'
    : `Redis at ${URL.canParse(redisUrl) ? new URL(redisUrl).host : 'REDIS_URL'}`;
}
