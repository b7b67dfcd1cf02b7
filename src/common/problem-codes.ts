/* Every code of a problem that the module answers by itself, with its meaning: the source of docs/reference/errors.md. */

/** A problem's code and its HTTP status. Other exceptions carry the name of their status. */
export interface ProblemCodes {
  /**
   * The `Host` is missing, repeated or malformed, or it disagrees with the request's target.
   * @client send one valid `Host`
   */
  host_invalid: 400;
  /**
   * The host is valid and not listed, or not in the route's `@AllowHosts()`.
   * @operator the log names the host and the setting (`hosts`, `ALLOWED_HOSTS`)
   */
  host_not_allowed: 421;
  /**
   * A preflight, or a request that may change state, from an origin that is not allowed.
   * @operator list the origin in `cors.origins` (`CORS_ORIGINS`)
   */
  origin_not_allowed: 403;
  /**
   * The route or the tool needs a verified agent, and the request carries no credential of a kind that is configured.
   * @client send `Authorization: Bearer` or `X-API-Key`, as the `detail` says
   */
  credential_missing: 401;
  /**
   * The credential is malformed, unknown, wrong, revoked, not valid yet, or expired (the response then has `X-Token-Expired: true`).
   * @client get another credential
   * @operator the event `auth.rejected` has the reason
   */
  invalid_token: 401;
  /**
   * The agent lacks scopes of the route or the tool: all of `required_scopes`, or one of `any_of_scopes`.
   * @client ask for a credential that has them
   */
  insufficient_scope: 403;
  /**
   * The request carries several credentials of this API, or one credential on several lines.
   * @client send one
   */
  credential_ambiguous: 400;
  /**
   * The URL has a query parameter of `auth.urlParameters`.
   * @client send the credential in a header, and replace it: URLs are logged
   */
  credential_in_url: 400;
  /**
   * The store of credentials cannot be reached. The log has the reason.
   * @client try again after `retry_after_seconds`
   */
  identity_unavailable: 503;
  /**
   * The request is over a limit; `violated-policies` names it.
   * @client wait `retry_after_seconds` (also in `Retry-After`); if `retryable` is `false`, the request costs more than the limit ever
   * grants
   */
  rate_limited: 429;
  /**
   * The shared store fails and `rateLimit.onStoreError` is `'deny'`, or a dynamic limit cannot be resolved and no earlier value is known.
   * @client try again after `retry_after_seconds`
   * @operator check the store; the log has the reason of a failed lookup
   */
  limits_unavailable: 503;
  /**
   * The tool is not in the agent's list (`agent.tools`) or not in `tools.allow`.
   * @operator list the tool, if the agent is to call it
   */
  tool_not_allowed: 403;
  /**
   * The body of an MCP request is not a JSON-RPC 2.0 message: it is not JSON in UTF-8, has duplicate keys, mixes two kinds of message, or
   * is a batch under 2026-07-28.
   * @client send one message as the specification defines it
   */
  mcp_invalid: 400;
  /**
   * `MCP-Protocol-Version`, `Mcp-Method` or `Mcp-Name` is missing or differs from the body (JSON-RPC error -32020).
   * @client send the headers of the message
   */
  mcp_header_mismatch: 400;
  /**
   * The `MCP-Protocol-Version` is not in `mcp.versions` (JSON-RPC error -32022); `data.supported` lists the supported ones.
   * @client use one of them
   */
  mcp_version_unsupported: 400;
  /**
   * The `Mcp-Session-Id` names no session that this agent opened in this process (JSON-RPC error -32001).
   * @client send `initialize` without a session ID
   */
  mcp_session_unknown: 404;
  /**
   * The client's address is outside `mcp.network` or not private under `@PrivateNetworkOnly()`, or an untrusted peer sends forwarded
   * headers.
   * @operator name the proxies in `trustProxy`, so that the address is the client's
   */
  network_not_allowed: 403;
  /**
   * The signature that `mcp.proxyProof` requires is missing, wrong, too old, or was used before.
   * @operator check that the proxy signs, and that the clocks agree
   */
  proxy_proof_invalid: 403;
  /**
   * A socket.io polling request, or an upgrade, names a session that does not exist or that another identity opened.
   * @client open another session
   * @operator in a cluster, use sticky sessions
   */
  session_unknown: 400;
  /**
   * A handshake did not come over TLS, and `webSockets.requireTls` is on.
   * @client use `wss:`
   * @operator name the proxy in `trustProxy`
   */
  tls_required: 403;
  /**
   * The audit record of a call of impact `high` cannot be written, so that the call was not made, or the queue of the audit is full.
   * @client try again after `retry_after_seconds`
   * @operator the log names the sink that fails
   */
  audit_unavailable: 503;
  /**
   * The path is malformed or ambiguous. See docs/input.md#paths.
   * @client send the plain path
   * @operator `url.insecureAllow`
   */
  url_invalid: 400;
  /**
   * A singleton field (RFC 9110 section 5.3) occurs more than once.
   * @client send it once
   */
  header_repeated: 400;
  /**
   * A `SafePathPipe` rejected a path.
   * @client send a path within the folder
   */
  path_invalid: 400;
  /**
   * The client left, or got its answer, while the guards of a tool or of a concurrency limit were still running, so that the handler did
   * not run. No client receives this problem; audit records and logs show it.
   */
  request_ended: 503;
  /**
   * The handler took longer than its `@Timeout()` or `timeout.handler`.
   * @client try again after `retry_after_seconds`
   * @operator raise the limit, or make the work shorter
   */
  handler_timeout: 503;
  /**
   * The method is `TRACE`, is not in `methods`, or the `X-HTTP-Method-Override` names no verb of the app.
   * @client use another method
   */
  method_not_allowed: 405;
  /**
   * The body is longer than `body.maxBytes`, its route's `@MaxBody()` or the parser's own limit.
   * @client send less
   * @operator raise both limits
   */
  body_too_large: 413;
  /**
   * The body nests too deep, has a prototype-polluting key, duplicate keys, or too many keys, values, arrays or objects, has a transfer
   * coding other than chunked, or is announced and missing.
   * @client send plain JSON
   */
  body_invalid: 400;
  /**
   * A pipe rejected the request. `errors` lists the messages; with the strict presets, the path and message of each. See
   * docs/input.md#validation.
   * @client correct the fields that `errors` names
   */
  validation_failed: 400;
  /**
   * A malformed URL or body, or a `BadRequestException` of the app.
   * @client see `detail`
   */
  bad_request: 400;
  /**
   * The request has a thousand header lines or more, or a head larger than Node's limit.
   * @client send fewer headers
   */
  too_many_headers: 431;
  /**
   * The bytes are not valid HTTP, or Node's parser does not know the method. `detail` says how a custom verb is sent.
   * @client send a valid request
   */
  request_malformed: 400;
  /**
   * The URL is longer than `url.maxLength`, or a segment of it is too long for the router.
   * @client shorten it
   */
  uri_too_long: 414;
  /**
   * The head or the body of the request took longer than `timeout.headers` or `timeout.request`.
   * @client send the request without pauses
   */
  request_timeout: 408;
  /**
   * The `Content-Type`, its charset or the `Content-Encoding` of the body is not one that the endpoint accepts.
   * @client send JSON in UTF-8, and no content coding that the app does not decode
   */
  unsupported_media_type: 415;
  /**
   * No route matches, or a `NotFoundException` of the app.
   * @client check the method and the path
   */
  not_found: 404;
  /**
   * An unexpected exception. The log has its reason.
   * @operator look up the request's ID
   */
  internal_error: 500;
}

/**
 * A code of an error response of the module, listed in docs/reference/errors.md.
 * @example
 * const code: ProblemCode = 'rate_limited';
 */
export type ProblemCode = keyof ProblemCodes;
