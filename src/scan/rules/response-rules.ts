/* What responses, and above all errors, show and allow. */
import type { Faults } from '../../check/check.js';
import { type Answer, clip, valueOf } from '../answer.js';
import { answerTo, type ScanFacts } from '../facts.js';
import { ECHO, type ProbeName } from '../probes.js';
import type { ScanRule } from '../rule.js';

const ERRORS: readonly ProbeName[] = ['missing', 'bodyMalformed', 'pathPercent', 'hostForeign'];
/** Of JavaScript, Java, .NET, Python, Ruby and PHP, as text, in JSON or in HTML. */
const STACK =
  /(?:\n|\\n)(?: {2,8}|\t|\\t)at |&nbsp;at |[\\/]node_modules[\\/]|node:internal\/|Traceback \(most recent call|\.rb:\d{1,6}:in |Stack trace:\s{0,4}#0 /;
/** What a page has, an error must have as well. */
const PROTECTION = ['content-security-policy', 'x-content-type-options', 'x-frame-options'];

/** Errors that came from the app or its framework: the answer of Node's own parser has no header but Connection. */
const errorsOf = (facts: ScanFacts): readonly Answer[] =>
  ERRORS.map(name => answerTo(facts, name)).filter(
    ({ status, headers }) => status >= 400 && headers.length > 1,
  );

export const RESPONSE_RULES: readonly ScanRule[] = [
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S050',
    severity: 'warning',
    section: 'responses',
    title: 'Errors lack the headers of pages.',
    why: 'an error that shows input is as good as a page for an attack',
    remedy: 'Set security headers before routing.',
    find: (facts): Faults => {
      const page = answerTo(facts, 'page');
      return PROTECTION.filter(
        name => valueOf(page, name) !== '' && errorsOf(facts).some(error => valueOf(error, name) === ''),
      ).map(name => [name, 'is missing in an error']);
    },
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S051',
    severity: 'note',
    section: 'responses',
    title: 'Errors may be cached.',
    why: 'a shared cache can give the error of one client to all (RFC 9111)',
    remedy: 'Send Cache-Control: no-store.',
    find: facts =>
      errorsOf(facts).some(error => !/no-store|private|no-cache/i.test(valueOf(error, 'cache-control')))
        ? [['Cache-Control', 'of an error allows caches to store it']]
        : [],
  },
  {
    /** @see docs/threat-model.md */
    id: 'ASEC-S052',
    severity: 'error',
    section: 'responses',
    title: 'An error shows a stack.',
    why: 'it tells an attacker the files and versions of the app',
    remedy: 'Set NODE_ENV=production, and show the message of expected errors only.',
    find: facts =>
      errorsOf(facts).some(({ body }) => STACK.test(body)) ? [['An error', 'shows a stack']] : [],
  },
  {
    /** @see docs/threat-model.md */
    id: 'ASEC-S053',
    severity: 'note',
    section: 'responses',
    title: 'An error repeats the path.',
    why: 'the sender of a link decides what the error says, and in HTML what it does',
    remedy: 'Leave the path out of errors.',
    find: facts =>
      answerTo(facts, 'echo').body.includes(ECHO) ? [['The error 404', 'repeats the path as it came']] : [],
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S054',
    severity: 'note',
    section: 'responses',
    title: 'A header names the software.',
    why: 'it helps to pick the attack',
    remedy: 'Remove X-Powered-By and the version in Server.',
    find: facts => {
      const page = answerTo(facts, 'page');
      const [by, server] = [valueOf(page, 'x-powered-by'), valueOf(page, 'server')];
      return [
        ...(by === '' ? [] : [['X-Powered-By', `is ${clip(by)}`] as const]),
        ...(/\d/.test(server) ? [['Server', `is ${clip(server)}`] as const] : []),
      ];
    },
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S055',
    severity: 'warning',
    section: 'responses',
    title: 'A cookie lacks HttpOnly, SameSite or, over TLS, Secure.',
    why: 'scripts can read it, or other sites can send it',
    remedy: 'Set all three, unless a script needs the cookie.',
    find: ({ cookies, target }) =>
      cookies.flatMap(({ name, isHttpOnly, isSecure, sameSite }) => {
        const missing = [
          ...(isHttpOnly ? [] : ['HttpOnly']),
          ...(sameSite === undefined ? ['SameSite'] : []),
          ...(isSecure || !target.isTls ? [] : ['Secure']),
        ];
        return missing.length === 0 ? [] : [[`The cookie ${clip(name)}`, `lacks ${missing.join(', ')}`]];
      }),
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S056',
    severity: 'note',
    section: 'responses',
    title: 'The response may be cached.',
    why: 'a cache may keep what was meant for one agent, above all with X-API-Key (RFC 9111, section 3.5)',
    remedy: 'Send Cache-Control: no-store, unless everybody may have the response.',
    find: facts => {
      const page = answerTo(facts, 'page');
      return page.status < 300 && valueOf(page, 'cache-control') === ''
        ? [['Cache-Control', 'is missing']]
        : [];
    },
  },
];
