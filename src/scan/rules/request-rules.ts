/* Methods, paths, bodies and repeated headers. */
import type { Faults } from '../../check/check.js';
import type { Answer } from '../answer.js';
import { answerTo, isGranted, type ScanFacts } from '../facts.js';
import type { ProbeName } from '../probes.js';
import type { ScanRule } from '../rule.js';
import { servedFaults } from './host-rules.js';

/** The probes whose answer is of a kind. */
const faultsOf = (
  facts: ScanFacts,
  probes: Partial<Readonly<Record<ProbeName, string>>>,
  isFault: (answer: Answer) => string | undefined,
): Faults =>
  Object.entries(probes).flatMap(([name, what]) => {
    const fault = isFault(answerTo(facts, name as ProbeName));
    return fault === undefined ? [] : [[what, fault] as const];
  });

/** 501 says that the server knows no such method. */
const fails = ({ status }: Answer): string | undefined =>
  status >= 500 && status !== 501 ? `gets ${status}` : undefined;
const REJECTED: ReadonlySet<number> = new Set([400, 403, 411, 413, 421]);
const isOk = ({ status }: Answer): boolean => status >= 200 && status < 300;

export const REQUEST_RULES: readonly ScanRule[] = [
  {
    /** @see docs/verbs.md */
    id: 'ASEC-S040',
    severity: 'warning',
    section: 'requests',
    title: 'TRACE or TRACK shows the request, or CONNECT succeeds.',
    why: 'TRACE shows headers of proxies to scripts, and CONNECT opens tunnels',
    remedy: 'Answer 405.',
    find: facts =>
      faultsOf(facts, { trace: 'TRACE', track: 'TRACK', connect: 'CONNECT' }, answer =>
        // A page that every method gets shows nothing of the request.
        isOk(answer) && (answer === answerTo(facts, 'connect') || /^TRAC[EK] /m.test(answer.body))
          ? `gets ${answer.status}`
          : undefined,
      ),
  },
  {
    /** @see docs/input.md */
    id: 'ASEC-S041',
    severity: 'warning',
    section: 'requests',
    title: 'An ambiguous path is served.',
    why: 'a proxy and the app can read different paths in it, so that rules of the proxy are evaded',
    remedy: 'Reject paths with dot segments, empty segments, backslashes and encoded control characters.',
    find: facts =>
      // A server with one answer for every path does not show what it makes of this one.
      isGranted(facts, 'page') && !isGranted(facts, 'missing')
        ? servedFaults(facts, 'The path', {
            pathDots: 'with ..',
            pathEncodedDots: 'with %2e%2e',
            pathSlashes: 'with //',
            pathMatrix: 'with ;',
            pathNul: 'with %00',
            pathBackslash: 'with a backslash',
          })
        : [],
  },
  {
    /** @see docs/input.md */
    id: 'ASEC-S042',
    severity: 'warning',
    section: 'requests',
    title: 'A malformed request makes the server fail.',
    why: 'a 5xx raises alarms, and often shows details of the failure',
    remedy: 'Answer 400.',
    find: facts =>
      // A server that fails for ordinary requests does not show what it makes of these.
      answerTo(facts, 'page').status >= 500
        ? []
        : faultsOf(
            facts,
            {
              pathPercent: 'The path /%',
              pathUtf8: 'The path /%c0%ae',
              pathNul: 'The path with %00',
              bodyMalformed: 'Malformed JSON',
              bodyDeep: 'Deeply nested JSON',
              bodyEncoding: 'An unknown Content-Encoding',
              echo: 'A path with a tag',
            },
            fails,
          ),
  },
  {
    /** @see docs/input.md */
    id: 'ASEC-S043',
    severity: 'warning',
    section: 'requests',
    title: 'An oversized body is awaited.',
    why: 'each such request holds a connection, and memory once the body comes',
    remedy: 'Answer 413 as soon as Content-Length is known.',
    find: facts =>
      faultsOf(facts, { bodyAnnounced: 'A body of 1 GB' }, ({ fault, status }) =>
        fault === 'no answer in time' && status === 0 ? 'is awaited' : undefined,
      ),
  },
  {
    /** @see docs/input.md */
    id: 'ASEC-S044',
    severity: 'error',
    section: 'requests',
    title: 'A message of ambiguous length is accepted.',
    why: 'a proxy and the app can disagree where a request ends: request smuggling (RFC 9112, section 6.3)',
    remedy: 'Use a server that answers 400, and keep it up to date.',
    find: facts =>
      faultsOf(
        facts,
        {
          bothLengths: 'Content-Length beside Transfer-Encoding',
          twoLengths: 'Two values of Content-Length',
        },
        ({ status }) =>
          status === 0 || status === 429 || status >= 500 || REJECTED.has(status)
            ? undefined
            : `is accepted (${status})`,
      ),
  },
  {
    /** @see docs/authentication.md */
    id: 'ASEC-S045',
    severity: 'note',
    section: 'requests',
    title: 'A repeated Authorization is served.',
    why: 'a proxy and the app can read different credentials',
    remedy: 'Reject a request that repeats a singleton field.',
    find: facts => (isGranted(facts, 'twoCredentials') ? [['Authorization', 'is served on two lines']] : []),
  },
];
