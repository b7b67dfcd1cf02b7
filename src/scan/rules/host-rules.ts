/* Hosts: DNS rebinding, poisoned links and caches. */
import type { Faults } from '../../check/check.js';
import { valueOf } from '../answer.js';
import { answerTo, isServed, type ScanFacts } from '../facts.js';
import { ATTACKER, type ProbeName } from '../probes.js';
import type { ScanRule } from '../rule.js';

export const servedFaults = (
  facts: ScanFacts,
  option: string,
  probes: Partial<Readonly<Record<ProbeName, string>>>,
): Faults =>
  Object.entries(probes)
    .filter(([name]) => isServed(facts, name as ProbeName))
    .map(([, what]) => [option, `is served: ${what}`]);

export const HOST_RULES: readonly ScanRule[] = [
  {
    /** @see docs/guides/proxies.md */
    id: 'ASEC-S020',
    severity: 'error',
    section: 'hosts',
    title: 'A foreign host is served.',
    why: 'a page of an attacker can read the app by DNS rebinding, with the rights of the user’s network',
    remedy: 'Accept the hosts of the app only (ALLOWED_HOSTS), and answer 421 to others.',
    find: facts => servedFaults(facts, 'Host', { hostForeign: `"${ATTACKER}"` }),
  },
  {
    /** @see docs/guides/proxies.md */
    id: 'ASEC-S021',
    severity: 'warning',
    section: 'hosts',
    title: 'A malformed Host is served.',
    why: 'a proxy and the app can read different hosts in it (RFC 9112, section 3.2)',
    remedy: 'Answer 400.',
    find: facts =>
      servedFaults(facts, 'Host', {
        hostUserinfo: 'with userinfo',
        hostList: 'a list',
        hostPort: 'with port 99999',
        hostEmpty: 'empty',
        hostTwice: 'two lines',
      }),
  },
  {
    /** @see docs/guides/proxies.md */
    id: 'ASEC-S022',
    severity: 'warning',
    section: 'hosts',
    title: 'An absolute request target of another host is served.',
    why: 'its host takes precedence over Host (RFC 9112, section 3.2.2), so that a check of Host alone is evaded',
    remedy: 'Check both.',
    find: facts =>
      servedFaults(facts, 'The request target', {
        targetForeign: 'its host is foreign',
        targetDiffers: 'Host is foreign',
      }),
  },
  {
    /** @see docs/guides/proxies.md */
    id: 'ASEC-S023',
    severity: 'error',
    section: 'hosts',
    title: 'A forwarded host appears in a response.',
    why: 'a client can put its host into links, redirects and caches',
    remedy: 'Ignore X-Forwarded-Host and Forwarded of clients; trust your proxies only.',
    find: facts => {
      const isEchoed = (['forwardedHost', 'forwardedPage'] as const).some(name => {
        const { body, headers } = answerTo(facts, name);
        return body.includes(ATTACKER) || headers.some(([, value]) => value.includes(ATTACKER));
      });
      return isEchoed ? [['X-Forwarded-Host', 'appears in the response']] : [];
    },
  },
  {
    /** @see docs/guides/proxies.md */
    id: 'ASEC-S024',
    severity: 'warning',
    section: 'hosts',
    title: 'The X-Forwarded-Proto of a client is believed.',
    why: 'a client decides what the app takes for encrypted, and what else proxies report',
    remedy: 'Trust the addresses of your proxies only (TRUST_PROXY).',
    find: facts => {
      const has = (name: ProbeName): boolean =>
        valueOf(answerTo(facts, name), 'strict-transport-security') !== '';
      return has('forwardedProto') && !has('page')
        ? [['X-Forwarded-Proto', 'of a client turns Strict-Transport-Security on']]
        : [];
    },
  },
];
