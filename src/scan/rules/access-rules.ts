/* TLS, and credentials in URLs. */
import { valueOf } from '../answer.js';
import { answerTo, isGranted } from '../facts.js';
import { URL_SECRET } from '../probes.js';
import type { ScanRule } from '../rule.js';

const YEAR_S = 31_536_000;

export const ACCESS_RULES: readonly ScanRule[] = [
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-S060',
    severity: 'error',
    section: 'tls',
    title: 'A host beyond this machine is served without TLS.',
    why: 'credentials travel in clear text',
    remedy: 'Serve HTTPS, and let an API answer nothing over plain HTTP.',
    find: ({ target }) => (target.isTls || target.isLoopback ? [] : [['The connection', 'has no TLS']]),
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-S061',
    severity: 'error',
    section: 'tls',
    title: 'The certificate is not valid.',
    why: 'clients that accept it accept that of an attacker too',
    remedy: 'Install a certificate for this name. Pass a private authority in NODE_EXTRA_CA_CERTS.',
    find: ({ target, isVerified }) =>
      target.isTls && !isVerified ? [['The certificate', 'cannot be verified']] : [],
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S062',
    severity: 'note',
    section: 'tls',
    title: 'Strict-Transport-Security is shorter than a year.',
    why: 'OWASP ASVS 3.4.1 asks for a year',
    remedy: 'Send max-age=31536000 over HTTPS.',
    find: facts => {
      const value = valueOf(answerTo(facts, 'page'), 'strict-transport-security');
      const seconds = Number(/max-age="?(\d{1,15})/i.exec(value)?.[1] ?? 0);
      return facts.target.isTls && seconds < YEAR_S
        ? [['Strict-Transport-Security', `has a max-age of ${seconds}`]]
        : [];
    },
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-S063',
    severity: 'note',
    section: 'tls',
    title: 'Strict-Transport-Security is sent over plain HTTP.',
    why: 'browsers ignore it there (RFC 6797, section 7.2), and it can hide that HTTPS lacks it',
    remedy: 'Send it over HTTPS only.',
    find: facts =>
      !facts.target.isTls && valueOf(answerTo(facts, 'page'), 'strict-transport-security') !== ''
        ? [['Strict-Transport-Security', 'is sent over plain HTTP']]
        : [],
  },
  {
    /** @see docs/authentication.md */
    id: 'ASEC-S070',
    severity: 'warning',
    section: 'credentials',
    title: 'A URL with a credential is served.',
    why: 'URLs reach logs, histories and other sites (OWASP ASVS 14.2.1), and nobody notices',
    remedy: 'Reject access_token and its like in queries with 400.',
    find: facts => (isGranted(facts, 'urlSecret') ? [['access_token in the query', 'is served']] : []),
  },
  {
    /** @see docs/authentication.md */
    id: 'ASEC-S071',
    severity: 'error',
    section: 'credentials',
    title: 'A credential of the URL appears in the response.',
    why: 'caches and logs of responses keep it',
    remedy: 'Leave the query out of responses.',
    find: facts => {
      const { body, headers } = answerTo(facts, 'urlSecret');
      return body.includes(URL_SECRET) || headers.some(([, value]) => value.includes(URL_SECRET))
        ? [['access_token in the query', 'appears in the response']]
        : [];
    },
  },
];
