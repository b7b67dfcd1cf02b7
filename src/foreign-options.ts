/* What other libraries call the options of the module, and what to write in place of it. */
import { type ForeignNames, literal, renamed } from './common/foreign-names.js';

const HOSTS = 'Write hosts: { exemptPaths: ["/healthz"] } and rateLimit: { exemptPaths: ["/healthz"] }.';
const inside = (option: string, key: string) => (value: unknown) =>
  `Write ${option}: { ${key}: ${literal(value)} }.`;

export const FOREIGN_OPTIONS: ForeignNames = {
  helmet: renamed('headers'),
  securityHeaders: renamed('headers'),
  hsts: inside('headers', 'strictTransportSecurity'),
  strictTransportSecurity: inside('headers', 'strictTransportSecurity'),
  csp: inside('headers', 'contentSecurityPolicy'),
  contentSecurityPolicy: inside('headers', 'contentSecurityPolicy'),
  frameguard: 'Write headers: { framing: "deny" }, which is the default.',
  allowedHosts: renamed('hosts'),
  trustedHosts: renamed('hosts'),
  origin: renamed('cors'),
  origins: renamed('cors'),
  allowedOrigins: renamed('cors'),
  throttler: 'Write rateLimit: "100/minute", or rateLimit: { limits: ["10/second", "100/minute"] }.',
  throttlers: 'Write rateLimit: "100/minute", or rateLimit: { limits: ["10/second", "100/minute"] }.',
  throttle: 'Write rateLimit: "100/minute", or rateLimit: { limits: ["10/second", "100/minute"] }.',
  limit: 'Write rateLimit: "100/minute".',
  limits: renamed('rateLimit'),
  ttl: 'Write rateLimit: "100/minute".',
  proxy: renamed('trustProxy'),
  bodyLimit: renamed('body'),
  maxBytes: renamed('body'),
  requestTimeout: 'Write timeout: { request: "2min" }, or timeout: "30s" for handlers.',
  apiKeys: 'Write auth: { apiKeys: { … } }.',
  apiKey: 'Write auth: { apiKeys: { … } }.',
  tokens: 'Write auth: { tokens: { … } }.',
  jwt: 'Write auth: { tokens: { … } }.',
  exemptPaths: HOSTS,
  csrf: 'Remove it: a state-changing request of a page of another site gets 403 already (cors).',
  global: 'Remove it: the module is global.',
  isGlobal: 'Remove it: the module is global.',
};
