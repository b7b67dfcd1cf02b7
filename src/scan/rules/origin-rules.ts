/* Origins: who may read responses, and who may send. */
import type { Faults } from '../../check/check.js';
import { valueOf } from '../answer.js';
import { answerTo, type ScanFacts } from '../facts.js';
import { ATTACKER, ATTACKER_ORIGIN, listProbes, type ProbeName } from '../probes.js';
import type { ScanRule } from '../rule.js';

const HEADER = 'Access-Control-Allow-Origin';
const allowed = (facts: ScanFacts, name: ProbeName): string =>
  valueOf(answerTo(facts, name), 'access-control-allow-origin');
const hasCredentials = (facts: ScanFacts, name: ProbeName): boolean =>
  valueOf(answerTo(facts, name), 'access-control-allow-credentials').toLowerCase() === 'true';
/** Rejected; and what a server answers that wants a credential first, or takes no POST or no form. */
const NOT_EXECUTED = new Set([400, 401, 403, 405, 415, 421, 429]);
const isReflected = (facts: ScanFacts): boolean => allowed(facts, 'foreignOrigin') === ATTACKER_ORIGIN;

const LOOK_ALIKES = {
  suffixOrigin: `HOST.${ATTACKER}`,
  prefixOrigin: 'attacker-HOST',
  siteOrigin: 'attacker-DOMAIN',
} as const;

export const ORIGIN_RULES: readonly ScanRule[] = [
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-S030',
    severity: 'error',
    section: 'origins',
    title: 'Every origin is allowed, with credentials.',
    why: 'every site can read what its visitor may read here',
    remedy: 'List your origins (CORS_ORIGINS).',
    find: facts =>
      isReflected(facts) && hasCredentials(facts, 'foreignOrigin')
        ? [[HEADER, 'reflects a foreign origin, with credentials']]
        : [],
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-S031',
    severity: 'warning',
    section: 'origins',
    title: 'Every origin may read responses.',
    why: 'pages of every site can read the responses, also those of a server in the user’s network',
    remedy: 'List your origins (CORS_ORIGINS), unless the data is public.',
    find: (facts): Faults => {
      if (allowed(facts, 'foreignOrigin') === '*') return [[HEADER, 'is "*"']];
      return isReflected(facts) && !hasCredentials(facts, 'foreignOrigin')
        ? [[HEADER, 'reflects a foreign origin']]
        : [];
    },
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-S032',
    severity: 'error',
    section: 'origins',
    title: 'The origin "null" is allowed.',
    why: 'sandboxed frames of every site and local files have it',
    remedy: 'Do not list "null".',
    find: facts => (allowed(facts, 'nullOrigin') === 'null' ? [[HEADER, 'is "null"']] : []),
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-S033',
    severity: 'error',
    section: 'origins',
    title: 'An origin that only resembles the host is allowed.',
    why: 'anybody can register such a name',
    remedy: 'Compare whole origins, not their beginning or end.',
    find: facts => {
      if (isReflected(facts)) return [];
      const probes = listProbes(facts.target);
      const isAllowed = (name: keyof typeof LOOK_ALIKES | 'siblingOrigin'): boolean =>
        probes[name].headers!.some(([, origin]) => origin === allowed(facts, name));
      return (
        Object.entries(LOOK_ALIKES)
          .filter(([name]) => isAllowed(name as keyof typeof LOOK_ALIKES))
          // Beside the host, it is one of the subdomains that are all allowed.
          .filter(([name]) => name !== 'prefixOrigin' || !isAllowed('siblingOrigin'))
          .map(([, form]) => [HEADER, `allows an origin of the form ${form}`])
      );
    },
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-S034',
    severity: 'warning',
    section: 'origins',
    title: 'A preflight of a foreign origin is granted.',
    why: 'pages of every site can send requests with headers of their own',
    remedy: 'Grant preflights of listed origins only.',
    find: facts =>
      [ATTACKER_ORIGIN, '*'].includes(allowed(facts, 'preflight')) &&
      allowed(facts, 'foreignOrigin') !== allowed(facts, 'preflight')
        ? [['The preflight', 'grants a foreign origin']]
        : [],
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-S035',
    severity: 'warning',
    section: 'origins',
    title: 'Responses differ by origin without Vary.',
    why: 'a cache gives the response for one origin to another',
    remedy: 'Send Vary: Origin, also without an Origin.',
    find: facts =>
      isReflected(facts) && !/\borigin\b|\*/i.test(valueOf(answerTo(facts, 'foreignOrigin'), 'vary'))
        ? [['Vary', 'lacks Origin']]
        : [],
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-S036',
    severity: 'warning',
    section: 'origins',
    title: 'A POST of a foreign origin reaches the router.',
    why: 'browsers hide the response of such a request, but the app executes it',
    remedy: 'Reject unsafe methods of foreign origins with 403 (Origin, Sec-Fetch-Site).',
    find: facts => {
      const { status } = answerTo(facts, 'crossPost');
      return status > 0 && status < 500 && !NOT_EXECUTED.has(status)
        ? [['A cross-site POST', `without a preflight gets ${status}, and not 403`]]
        : [];
    },
  },
  {
    /** @see docs/websockets.md */
    id: 'ASEC-S037',
    severity: 'error',
    section: 'origins',
    title: 'A foreign origin can open a WebSocket.',
    why: 'CORS does not apply to WebSockets: every site can talk to the app as its visitor',
    remedy: 'Check the Origin of handshakes.',
    find: facts =>
      answerTo(facts, 'webSocket').status === 101 ? [['A WebSocket', 'opens for a foreign origin']] : [],
  },
];
