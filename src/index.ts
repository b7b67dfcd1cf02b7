export {
  type AgentSecurityAsyncOptions,
  type AgentSecurityExtras,
  AgentSecurityModule,
  type AgentSecurityOptionsFactory,
} from './agent-security.module.js';
export { type AgentSecurityOptions } from './agent-security.options.js';
export {
  type AgentRecord,
  type ApiKeyRecord,
  type ApiKeyStore,
  type KeyStoreHooks,
} from './identity/api-key-store.js';
export { KeyDigests } from './auth/api-key.js';
export { ApiKeyVerifier } from './auth/api-key-verifier.js';
export { AnyScope, CurrentAgent, Public, Scopes } from './auth/auth.decorator.js';
export { AuthGuard } from './auth/auth.guard.js';
export { ScopesGuard } from './auth/scopes.guard.js';
export { type ApiKeysOptions } from './auth/api-keys.options.js';
export { type AuthOptions, type IdentifiedAgent, type Identify } from './auth/auth.options.js';
export { type Verification, type VerifiedCredential } from './identity/credential.js';
export { type RejectedCredential, type TokenCheck } from './identity/rejected-credential.js';
export { FileKeyStore, type FileKeyStoreOptions } from './auth/file-key-store.js';
export {
  addKey,
  type CreatedKey,
  EMPTY_BOOK,
  type KeyBook,
  type KeyBookAgent,
  KeyBookError,
  type KeyBookKey,
  type NewKey,
  parseKeyBook,
  revokeKey,
  rotateKey,
  setAgentDisabled,
} from './auth/key-book.js';
export { KeyBookStore } from './auth/key-book-store.js';
export { type Rejection } from './common/rejection.js';
export { type AuditOptions } from './audit/audit.options.js';
export {
  type AuditedCall,
  type AuditEnd,
  type AuditEntry,
  type AuditLine,
  type AuditOutcome,
  type AuditRecord,
  type AuditStart,
} from './audit/audit-record.js';
export { type AuditSink } from './audit/audit-sink.js';
export { AuditTrail } from './audit/audit-trail.js';
export { MaxBody } from './body/body.decorator.js';
export { type BodyOptions } from './body/body.options.js';
export { type CheckAppOptions } from './check/check-app.options.js';
export { type CheckOptions } from './check/check.options.js';
export { type CheckFinding, type CheckReport, type CheckSeverity } from './check/finding.js';
export { ClientAddress } from './client-address/client-address.decorator.js';
export {
  type TrustedProxies,
  type TrustProxyOption,
  type TrustProxyOptions,
} from './client-address/client-address.options.js';
export { type TrustFunction } from './client-address/read-trust.js';
export { type Agent } from './common/agent.js';
export { type Clock, CLOCK, type Timers, TIMERS } from './common/clock.js';
export { type Impact } from './common/impact.js';
export { AgentSecurityConfigError, type ConfigErrorCode } from './common/config-error.js';
export { type ProblemDetails } from './common/problem.js';
export { type ProblemCode } from './common/problem-codes.js';
export {
  type SecurityEvent,
  type SecurityEventMap,
  type SecurityEventType,
} from './events/security-events.js';
export { SECURITY_EVENTS_CHANNEL, SecurityEvents } from './events/security-events.js';
export { type LoggingOptions } from './events/logging.options.js';
export { type CorsOptions } from './cors/cors.options.js';
export { type CspReportCount, CspReports, type CspReportSummary } from './csp-reports/csp-reports.js';
export { type CspReportsOptions } from './csp-reports/csp-reports.options.js';
export { type CspViolation } from './csp-reports/csp-violation.js';
export { type DashboardOptions } from './dashboard/dashboard.options.js';
export { type ErrorsOptions } from './errors/errors.options.js';
export { ProblemDetailsFilter } from './errors/problem-details.filter.js';
export {
  type ContentSecurityPolicyDirectives,
  type ContentSecurityPolicyOptions,
} from './headers/content-security-policy.js';
export { ContentSecurityPolicy, NoStore, SecurityHeaders } from './headers/headers.decorator.js';
export { type SecurityHeadersOptions } from './headers/headers.options.js';
export { SecurityHeadersInterceptor } from './headers/security-headers.interceptor.js';
export { AllowCrossSite } from './cors/cross-site.decorator.js';
export { AllowHosts } from './host/host.decorator.js';
export { HostGuard } from './host/host.guard.js';
export { type HostsOptions } from './host/host.options.js';
export { type McpOptions } from './mcp/mcp.options.js';
export { type Network } from './network/check-network.js';
export { PrivateNetworkOnly } from './network/private-network.decorator.js';
export { PrivateNetworkGuard } from './network/private-network.guard.js';
export { type ProvenRequest, type ProxyProofOptions, signProxyRequest } from './network/proxy-proof.js';
export {
  QuotaThrottlerStorage,
  type QuotaThrottlerStorageOptions,
} from './rate-limit/quota-throttler-storage.js';
export { type QuotaStore, type StoredCharge } from './limiter/store/quota-store.js';
export { type PolicyState, type QuotaDecision } from './limiter/consume.js';
export { type Policy } from './limiter/policy.js';
export { RateLimit, SkipRateLimit } from './rate-limit/rate-limit.decorator.js';
export { RateLimitException } from './rate-limit/rate-limit.exception.js';
export { RateLimitGuard } from './rate-limit/rate-limit.guard.js';
export { type RateLimitInput, type RateLimitPolicyOptions } from './rate-limit/policy-options.js';
export {
  type RateLimitCost,
  type RateLimitKey,
  type RateLimitResolver,
} from './rate-limit/limit-functions.js';
export { type RateLimitOptions, type StoreErrorPolicy } from './rate-limit/rate-limit.options.js';
export {
  type ConsumeResult,
  RateLimiter,
  type RateLimiterPolicy,
  type RateLimitResult,
} from './rate-limit/rate-limiter.js';
export { Reserved } from './rate-limit/rate-limit.decorator.js';
export { type RateLimitReservation } from './rate-limit/reservation.js';
export { type WebSocketsOptions } from './websockets/websockets.feature.js';
export { RequestId } from './request-id/request-id.decorator.js';
export { RequestIdInterceptor } from './request-id/request-id.interceptor.js';
export { type RequestIdOptions } from './request-id/request-id.options.js';
export { AgentTool } from './tools/agent-tool.decorator.js';
export { AgentToolGuard } from './tools/agent-tool.guard.js';
export { type Tool, type ToolAlert } from './tools/tool.js';
export { type AgentToolOptions, type ToolLimit } from './tools/tool.options.js';
export { type ToolCall, type ToolDecision, type ToolRejection } from './tools/tool.js';
export { ToolPolicy } from './tools/tool-policy.js';
export { type ToolsOptions } from './tools/tools.options.js';
export { type SafePathOptions, SafePathPipe } from './safe-path/safe-path.pipe.js';
export { AgentSecurityHealth, type AgentSecurityStatus } from './telemetry/agent-security-health.js';
export { type TelemetryOptions } from './telemetry/telemetry.options.js';
export { Signal, Timeout } from './time/timeout.decorator.js';
export { TimeoutGuard } from './time/timeout.guard.js';
export { type RouteTimeout, type TimeoutOptions } from './time/timeout.options.js';
export { type UrlAmbiguity, type UrlOptions } from './url/url.options.js';
export { type InputFault } from './validation/describe-faults.js';
export { StrictSchemaPipe } from './validation/strict-schema.pipe.js';
export { strictValidation } from './validation/strict-validation.js';
export { Verb } from './verb/verb.decorator.js';
export { type AgentFields, type ClaimNames, type TokenClaims } from './tokens/token-claims.js';
export { type TokenPreset } from './tokens/token-presets.js';
export { type TokenEndpointOptions } from './tokens/token-endpoint.options.js';
export { type PublicKeyInput, type SecretInput } from './tokens/token-keys.options.js';
export { type DpopOptions, type TokensOptions } from './tokens/tokens.options.js';
export { type SigningKeyInput, type SigningKeySet } from './tokens/signing-keys.js';
