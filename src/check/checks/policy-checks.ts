/* Policies and limits that are set, and protect from little. */
import { resolveHeaders } from '../../headers/headers.options.js';
import type { Policy } from '../../limiter/policy.js';
import { isDynamic } from '../../rate-limit/limit-rule.js';
import { faultIf, type Faults, type Subject, type SubjectCheck } from '../check.js';

type Headers = Subject['options']['headers'];

const valueOf = (headers: Headers, kind: 'data' | 'page', name: string): string =>
  resolveHeaders('headers', headers).kinds[kind].find(([line]) => line === name)?.[1] ?? '';

/** What is wrong with the scripts of a policy, as it is sent. */
function scriptFault(policy: string): string | undefined {
  const directives = new Map(
    policy.split(/;\s*/).map(text => [text.split(' ')[0], text.split(' ').slice(1)]),
  );
  const sources = directives.get('script-src') ?? directives.get('default-src');
  if (sources === undefined) return 'does not limit scripts';
  const hasNonce = sources.some(source => /^'(?:nonce|sha\d{3})-/.test(source));
  if (!hasNonce && sources.includes("'unsafe-inline'")) return 'allows inline scripts';
  return sources.some(source => /^(?:\*|https?:|data:)$/.test(source))
    ? 'allows scripts of every origin'
    : undefined;
}

const cspFaults = (headers: Headers): Faults =>
  (
    [
      ['contentSecurityPolicy', 'data'],
      ['htmlContentSecurityPolicy', 'page'],
    ] as const
  ).flatMap(([key, kind]) => {
    // The default is safe, and without a policy for data there is ASEC-C015.
    if (headers[key] === undefined || (kind === 'data' && headers[key] === false)) return [];
    const fault = scriptFault(valueOf(headers, kind, 'Content-Security-Policy'));
    return fault === undefined ? [] : [[`headers.${key}`, fault] as const];
  });

/** The most requests of a client in a second that are still a limit. */
export const MAX_PER_SECOND = 1_000;
const MAX_FLOOD_PER_SECOND = 10_000;
const MAX_ATTEMPTS_PER_SECOND = 10;

/** Whether none of the policies allows fewer calls; of concurrency limits and dynamic ones it is not known. */
export const isTooHigh = (policies: readonly (Policy | undefined)[], perSecond: number): boolean =>
  policies.length > 0 &&
  policies.every(
    policy =>
      policy !== undefined &&
      policy.algorithm !== 'concurrency' &&
      policy.limit / (policy.windowMs / 1_000) > perSecond,
  );

export const POLICY_CHECKS: readonly SubjectCheck[] = [
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-C027',
    severity: 'warning',
    title: 'The Content-Security-Policy lets injected scripts run.',
    why: 'a browser executes a script that an attacker has put into a response',
    remedy: 'Name the origins of scripts, and give inline scripts a nonce or a hash.',
    find: ({ options: { headers } }) => cspFaults(headers),
  },
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-C028',
    severity: 'warning',
    title: 'A limit is too high to limit a client.',
    why: 'one client can use up the app, or try credentials without end',
    remedy: 'Set the limit to what a busy client needs.',
    find: ({ options: { rateLimit, auth } }) => {
      const { limits = [], flood } = rateLimit || {};
      const attempts = (auth || undefined)?.failedAttempts;
      return (
        [
          [
            'rateLimit.limits',
            limits.map(rule => (isDynamic(rule) ? undefined : rule.policy)),
            MAX_PER_SECOND,
          ],
          ['rateLimit.flood', flood === undefined ? [] : [flood], MAX_FLOOD_PER_SECOND],
          ['auth.failedAttempts', attempts === undefined ? [] : [attempts], MAX_ATTEMPTS_PER_SECOND],
        ] as const
      ).flatMap(([option, policies, most]) =>
        faultIf(isTooHigh(policies, most), option, `allows ${policies[0]?.text}`),
      );
    },
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-C029',
    severity: 'note',
    title: 'Browsers send whole URLs to other origins.',
    why: 'identifiers and credentials in a URL reach other sites',
    remedy: 'Leave headers.referrerPolicy out.',
    find: ({ options: { headers } }) =>
      faultIf(
        /(?:unsafe-url|no-referrer-when-downgrade)$/.test(valueOf(headers, 'data', 'Referrer-Policy')),
        'headers.referrerPolicy',
        'sends whole URLs',
      ),
  },
];
