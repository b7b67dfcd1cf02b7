/* The resolved options that checks read, and what several checks ask of them. */
import type { ResolvedAudit } from '../audit/audit.options.js';
import type { ResolvedAuth } from '../auth/auth.options.js';
import type { ResolvedBody } from '../body/body.options.js';
import type { ResolvedCors } from '../cors/cors.options.js';
import type { ResolvedErrors } from '../errors/errors.options.js';
import type { ResolvedLogging } from '../events/logging.options.js';
import type { SecurityHeadersOptions } from '../headers/headers.options.js';
import type { ResolvedHosts } from '../host/host.options.js';
import type { ResolvedMcp } from '../mcp/mcp.options.js';
import type { ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import type { ResolvedTelemetry } from '../telemetry/telemetry.options.js';
import type { ResolvedTimeout } from '../time/timeout.options.js';
import type { ResolvedTools } from '../tools/tools.options.js';
import type { ResolvedCheck } from './check.options.js';

export interface CheckedOptions {
  readonly hosts: ResolvedHosts | false;
  readonly cors: ResolvedCors | false;
  readonly headers: SecurityHeadersOptions;
  readonly noStore: boolean;
  readonly rateLimit: ResolvedRateLimit | false;
  /** `named`: as the options wrote it. */
  readonly trustProxy: { readonly named: string } | undefined;
  readonly errors: ResolvedErrors | false;
  readonly body: ResolvedBody | false;
  readonly mcp: ResolvedMcp | false | undefined;
  readonly webSockets: { readonly requireTls: boolean };
  readonly auth: ResolvedAuth | false;
  readonly tools: ResolvedTools | false;
  readonly audit: ResolvedAudit | false;
  readonly timeout: ResolvedTimeout | false;
  readonly telemetry: ResolvedTelemetry | false;
  readonly logging: ResolvedLogging;
  readonly check: ResolvedCheck;
}

/** Whether a name or an address means this machine: `localhost:3000`, `api.localhost`, `127.0.0.1`, `[::1]`. */
export const isLoopback = (host: string): boolean =>
  /^(?:(?:[\w-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\]|::1)(?::\d+)?$/i.test(host);

/** The listed hosts that other machines can name. */
export function publicHosts({ hosts }: Pick<CheckedOptions, 'hosts'>): readonly string[] {
  if (hosts === false || hosts.anyHost) return [];
  const { exact, suffixes } = hosts.patterns;
  return [...exact, ...suffixes.keys()].filter(host => !isLoopback(host));
}

/** Whether clients outside this machine reach the app by its hosts. */
export const isPublic = (options: Pick<CheckedOptions, 'hosts'>): boolean =>
  options.hosts === false || options.hosts.anyHost || publicHosts(options).length > 0;
