/* Options of helmet, of its earlier versions and of @fastify/helmet, and what to write in place of them. */
import { type ForeignNames, renamed } from '../common/foreign-names.js';
import { isRecord } from '../common/read-options.js';

/** `{ action: 'deny' }`, `true` or the value of the header. */
function framingRemedy(value: unknown): string {
  if (value === false)
    return 'Leave it out for the default, "deny". Write framing: false if every page may frame the app.';
  const action = isRecord(value) ? value['action'] : value;
  const isSame = typeof action === 'string' && action.toLowerCase() === 'sameorigin';
  return `Write framing: ${isSame ? '"sameorigin"' : '"deny"'}, which sets X-Frame-Options and frame-ancestors.`;
}

const REMOVE = 'Remove it: current browsers ignore the header.';

export const FOREIGN_HEADERS: ForeignNames = {
  hsts: renamed('strictTransportSecurity'),
  csp: renamed('contentSecurityPolicy'),
  noSniff: renamed('xContentTypeOptions'),
  dnsPrefetchControl: renamed('xDnsPrefetchControl'),
  ieNoOpen: renamed('xDownloadOptions'),
  permittedCrossDomainPolicies: renamed('xPermittedCrossDomainPolicies'),
  hidePoweredBy: renamed('xPoweredBy'),
  xssFilter: renamed('xXssProtection'),
  coep: renamed('crossOriginEmbedderPolicy'),
  coop: renamed('crossOriginOpenerPolicy'),
  corp: renamed('crossOriginResourcePolicy'),
  frameguard: framingRemedy,
  xFrameOptions: framingRemedy,
  frameOptions: framingRemedy,
  featurePolicy: 'Write permissionsPolicy, an object of features: { camera: "self" }.',
  expectCt: REMOVE,
  hpkp: REMOVE,
  noCache: 'Remove it: noStore, an option beside headers, is on by default.',
  enableCSPNonces:
    'Remove it, and set the header in the handler that makes the nonce; the module sends it as it is set.',
  global: 'Remove it: the headers are those of every response.',
};
