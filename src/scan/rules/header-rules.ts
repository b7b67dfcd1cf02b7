/* The tests of the HTTP Observatory as findings. */
import type { Faults } from '../../check/check.js';
import type { ScanFacts } from '../facts.js';
import type { HeaderTest } from '../headers/score-headers.js';
import type { ScanRule } from '../rule.js';

/** A test that costs points. On this machine plain HTTP is no finding: the report says what TLS would change. */
const test =
  (name: HeaderTest, header: string) =>
  ({ headers, target }: ScanFacts): Faults => {
    const [modifier, fault] = headers.tests.get(name)!;
    const isLocal = target.isLoopback && !target.isTls && (name === 'hsts' || name === 'redirection');
    return modifier < 0 && !isLocal ? [[header, `${fault} (${modifier})`]] : [];
  };

export const HEADER_RULES: readonly ScanRule[] = [
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S001',
    severity: 'warning',
    section: 'headers',
    title: 'The Content-Security-Policy is missing or weak.',
    why: 'browsers execute a script that an attacker injects',
    remedy: "Send default-src 'none'; frame-ancestors 'none' for an API.",
    find: test('csp', 'Content-Security-Policy'),
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S002',
    severity: 'warning',
    section: 'headers',
    title: 'A cookie lacks protection.',
    why: 'scripts or other sites can use the cookie, or it is sent in clear text',
    remedy: 'Set Secure, HttpOnly and SameSite.',
    find: test('cookies', 'Set-Cookie'),
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-S003',
    severity: 'error',
    section: 'headers',
    title: 'A preflight grants every origin access with credentials.',
    why: 'every site can act with the cookies of a user',
    remedy: 'List the origins that may read responses.',
    find: test('cors', 'Access-Control-Allow-Origin'),
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-S004',
    severity: 'warning',
    section: 'headers',
    title: 'Plain HTTP does not lead to HTTPS on the same host.',
    why: 'a request in clear text can be read and changed on its way',
    remedy: 'Redirect pages to HTTPS, or close the port.',
    find: test('redirection', 'The redirect to HTTPS'),
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S005',
    severity: 'note',
    section: 'headers',
    title: 'The Referrer-Policy shows URLs to other origins.',
    why: 'identifiers in a URL reach other sites',
    remedy: 'Send no-referrer.',
    find: test('referrer', 'Referrer-Policy'),
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S006',
    severity: 'warning',
    section: 'headers',
    title: 'Strict-Transport-Security is missing or too short.',
    why: 'the first request of a browser can be diverted to plain HTTP',
    remedy: 'Send max-age=31536000 over HTTPS.',
    find: test('hsts', 'Strict-Transport-Security'),
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S007',
    severity: 'warning',
    section: 'headers',
    title: 'A script of another host is loaded without an integrity hash.',
    why: 'everyone who controls that host controls the page',
    remedy: 'Serve the script yourself, or add its integrity.',
    find: test('scripts', 'integrity'),
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S008',
    severity: 'warning',
    section: 'headers',
    title: 'X-Content-Type-Options is not nosniff.',
    why: 'browsers may execute a response that is no script',
    remedy: 'Send nosniff.',
    find: test('nosniff', 'X-Content-Type-Options'),
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S009',
    severity: 'warning',
    section: 'headers',
    title: 'Every site may show the response in a frame.',
    why: 'a click on another site can be a click on this one',
    remedy: "Send frame-ancestors 'none' in the Content-Security-Policy.",
    find: test('frames', 'X-Frame-Options'),
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S010',
    severity: 'note',
    section: 'headers',
    title: 'The Cross-Origin-Resource-Policy is not valid.',
    why: 'browsers ignore it, so that other sites can embed the response',
    remedy: 'Send same-origin.',
    find: test('corp', 'Cross-Origin-Resource-Policy'),
  },
];
