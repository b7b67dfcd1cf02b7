/* The lists of all features, checks, stages and guards, each in its order. The module loops over them. */
import type { InjectionToken, Provider } from '@nestjs/common';
import { AuditTrail } from './audit/audit-trail.js';
import { AUDIT } from './audit/audit.feature.js';
import { ApiKeyVerifier } from './auth/api-key-verifier.js';
import { AUTH, AUTH_GUARD, SCOPES_GUARD } from './auth/auth.feature.js';
import { METADATA_STAGE, TOKEN_ENDPOINT } from './auth/token.providers.js';
import { DASHBOARD } from './dashboard/dashboard.feature.js';
import { DASHBOARD_STAGE, FIGURES } from './dashboard/dashboard.options.js';
import { BODY, BODY_GUARD, DECLARED_BODY_CHECK } from './body/body.feature.js';
import { CHECK } from './check/check.feature.js';
import { TRUST_PROXY } from './client-address/client-address.feature.js';
import { CORS, CROSS_SITE_GUARD } from './cors/cors.feature.js';
import { CspReportStage } from './csp-reports/csp-report-stage.js';
import { CSP_REPORTS } from './csp-reports/csp-reports.feature.js';
import { DenialCache } from './edge/denial-cache.js';
import { FloodCheck, HostCheck, OriginCheck } from './edge/edge-checks.js';
import { PollingStage, UrlCredentialStage } from './edge/edge-stages.js';
import { EDGE_PROVIDERS } from './edge/edge.feature.js';
import { REPEATED_FIELDS, REQUEST_HEAD } from './edge/request-head.js';
import { ERRORS } from './errors/errors.feature.js';
import { LOGGING } from './events/logging.feature.js';
import { SecurityLog } from './events/security-log.js';
import { HEADERS, NO_STORE } from './headers/headers.feature.js';
import { HOST_GUARD, HOSTS } from './host/host.feature.js';
import { QUOTA_ENGINE } from './limiter/quota-engine.js';
import { OWN_STORE } from './limiter/store/quota-store.js';
import { EndpointDetector } from './mcp/endpoint-detector.js';
import { MCP } from './mcp/mcp.feature.js';
import { MCP_STAGE } from './mcp/mcp.options.js';
import { PrivateNetworkGuard } from './network/private-network.guard.js';
import { RATE_LIMIT, RATE_LIMIT_GUARD } from './rate-limit/rate-limit.feature.js';
import { REDIS_PROVIDERS } from './redis/redis.feature.js';
import { REQUEST_ID } from './request-id/request-id.feature.js';
import {
  FIRST_CHECK,
  FIRST_TELEMETRY_GUARD,
  LAST_CHECK,
  LAST_TELEMETRY_GUARD,
  OBSERVED_APP,
  TELEMETRY,
} from './telemetry/telemetry.feature.js';
import { ServerConnections } from './time/server-connections.js';
import { TIMEOUT, TIMEOUT_GUARD } from './time/timeout.feature.js';
import { TimeoutGuard } from './time/timeout.guard.js';
import { AgentToolGuard } from './tools/agent-tool.guard.js';
import { TOOL_AUDIT_GUARD, TOOLS } from './tools/tools.feature.js';
import { URL_CHECK, URLS } from './url/url.feature.js';
import { METHOD_CHECK, METHODS, VERB_CHECK } from './verb/methods.feature.js';
import { WEB_SOCKETS } from './websockets/websockets.feature.js';

/** In the order in which their options are resolved: `resolve()` can read the options of earlier features. */
export const FEATURES = [
  HEADERS,
  REQUEST_ID,
  AUTH,
  HOSTS,
  CORS,
  NO_STORE,
  RATE_LIMIT,
  TRUST_PROXY,
  ERRORS,
  BODY,
  MCP,
  WEB_SOCKETS,
  TOOLS,
  AUDIT,
  URLS,
  METHODS,
  TIMEOUT,
  CSP_REPORTS,
  LOGGING,
  CHECK,
  TELEMETRY,
  DASHBOARD,
] as const;

/** Providers without an option. */
export const OTHER_PROVIDERS: readonly Provider[] = [
  PrivateNetworkGuard,
  ...REDIS_PROVIDERS,
  ...EDGE_PROVIDERS,
];

/**
 * The checks of every request before routing, in this order. The first rejection is the response. A check with
 * `countsAll` runs after a rejection too, and then its own rejection is the response.
 */
export const CHECKS: readonly InjectionToken[] = [
  FIRST_CHECK,
  REQUEST_HEAD,
  HostCheck,
  OriginCheck,
  FloodCheck,
  URL_CHECK,
  METHOD_CHECK,
  REPEATED_FIELDS,
  VERB_CHECK,
  DECLARED_BODY_CHECK,
  DenialCache,
  FIGURES,
  LAST_CHECK,
];

/** The stages that run for the requests that they claim, after the checks and before routing, in this order. */
export const STAGES: readonly InjectionToken[] = [
  MCP_STAGE,
  EndpointDetector,
  UrlCredentialStage,
  CspReportStage,
  PollingStage,
  METADATA_STAGE,
  TOKEN_ENDPOINT,
  DASHBOARD_STAGE,
];

/** In the order in which they run. The time limit is first, so that it includes the waiting of the other guards. */
export const GUARDS = [
  FIRST_TELEMETRY_GUARD,
  TIMEOUT_GUARD,
  TOOL_AUDIT_GUARD,
  HOST_GUARD,
  CROSS_SITE_GUARD,
  AUTH_GUARD,
  RATE_LIMIT_GUARD,
  SCOPES_GUARD,
  BODY_GUARD,
  LAST_TELEMETRY_GUARD,
] as const;

/** The guards that decorators bind, which describe their responses in OpenAPI documents whether they are bound to the app or not. */
export const OTHER_DESCRIBERS: readonly InjectionToken[] = [AgentToolGuard, TimeoutGuard];

/** In the order in which they close: the server's connections, leases of concurrency limits, audit records, Redis, the key store,
 * what was counted for the log. */
export const CLOSED_IN_ORDER: readonly InjectionToken[] = [
  ServerConnections,
  QUOTA_ENGINE,
  AuditTrail,
  OWN_STORE,
  ApiKeyVerifier,
  SecurityLog,
  OBSERVED_APP,
];
