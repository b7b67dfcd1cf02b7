/* Every code of an AgentSecurityConfigError, with its meaning and an example of its message: the source of docs/reference/errors.md. */

export const CONFIG_ERROR_CODES = [
  /**
   * The options, one option or the argument of a decorator is `undefined` or `null`, or a factory of `forRootAsync()` returned an
   * empty object. A misspelt name such as `config.get('securty')` has this effect, and would switch protection off silently.
   * `false` switches a feature off; a key that is left out has its default.
   * @example
   * auth is undefined. Give it a value (look for a misspelt name where it comes from), or leave the key out: ...(value ===
   * undefined ? {} : { auth: value }). [ASEC_OPTIONS_MISSING]
   */
  'ASEC_OPTIONS_MISSING',
  /**
   * A key that is not an option: a typo, or the name that helmet, cors, a throttler or another library has for it. The message says what
   * to write, offers the nearest name, or lists the known names.
   * @example
   * rateLimits is not an option. Did you mean "rateLimit"? [ASEC_OPTION_UNKNOWN]
   */
  'ASEC_OPTION_UNKNOWN',
  /**
   * A value of the wrong type. The message names the type that the option takes.
   * @example
   * noStore must be true or false, received "yes". Pass true or false. [ASEC_OPTION_TYPE]
   */
  'ASEC_OPTION_TYPE',
  /**
   * A number outside its range, or not a whole number (`NaN` included). Choose one within the range.
   * @example
   * body.maxDepth must be a whole number from 1 to 10000, received 0. Choose a value in that range. [ASEC_OPTION_RANGE]
   */
  'ASEC_OPTION_RANGE',
  /**
   * `exemptPaths` and `auth.publicPaths` are compared as whole paths. `exemptPaths` and `mcp.path` follow the global prefix and URI
   * versions by themselves. A parameter in `mcp.path` is a whole segment.
   * @example
   * hosts.exemptPaths[0] must be an exact path, received "/health*". Write it as in the request line, such as "/healthz": no
   * pattern, no query. [ASEC_PATH_INVALID]
   * @example
   * mcp.path must be a path whose parameters are whole segments, received "/mcp/*". Write for example "/mcp" or "/:tenant/mcp": no
   * wildcard, no query, no other pattern. [ASEC_PATH_INVALID]
   */
  'ASEC_PATH_INVALID',
  /**
   * A URL where a host is expected. Remove the scheme and the path.
   * @example
   * hosts[0] must not carry a scheme, received "https://api.example.com". Write "api.example.com". [ASEC_HOST_SCHEME]
   */
  'ASEC_HOST_SCHEME',
  /**
   * Not a host as a `Host` header carries it: it has a path, userinfo, a port above 65535 or letters beyond ASCII.
   * @example
   * hosts[0] must be "name", "name:port", "*.name", "[IPv6]" or "[IPv6]:port", received "api.example.com/v1". Write the host as in
   * a Host header; an internationalized name in its xn-- form. [ASEC_HOST_INVALID]
   */
  'ASEC_HOST_INVALID',
  /**
   * A bare wildcard, or one over a public suffix (`*.co.uk`, `*.github.io`; publicsuffix.org), admits hosts that anyone can have. List the
   * hosts, or set `insecureAnyHost` behind a proxy that checks them.
   * @example
   * hosts[0] must not be a bare wildcard, received "*". List the hosts, or write hosts: { insecureAnyHost: true } where a proxy in
   * front already checks them. [ASEC_HOST_ANY]
   */
  'ASEC_HOST_ANY',
  /**
   * An empty list would reject every request.
   * @example
   * hosts is an empty list, so every request would be rejected. List at least one host, or set hosts to false to switch the check
   * off. [ASEC_HOST_NONE]
   */
  'ASEC_HOST_NONE',
  /**
   * An origin that no browser sends, so that it would never match: it has a trailing slash, a path or no scheme. Also `"*"` beside
   * other origins.
   * @example
   * cors.origins[0] is not an origin as browsers send it, received "https://app.example.com/". Write "https://app.example.com": a
   * scheme, a host, a port only if it is not the default, and nothing after them. [ASEC_ORIGIN_INVALID]
   */
  'ASEC_ORIGIN_INVALID',
  /**
   * A wildcard over an address or a public suffix (`https://*.co.uk`, `https://*.vercel.app`). Put it in front of a domain of your own.
   * @example
   * cors.origins[0] must not cover a top-level domain or an address, received "https://*.com". Put the wildcard in front of a
   * domain of your own: "https://*.example.com". [ASEC_ORIGIN_WILDCARD]
   */
  'ASEC_ORIGIN_WILDCARD',
  /**
   * With `"*"` and credentials, any site could act as the signed-in user. List the origins, or leave credentials off.
   * @example
   * cors.origins must not be "*" together with credentials: any site could act as the signed-in user. List the origins, or leave
   * credentials off (an Authorization header does not need them). [ASEC_CORS_ANY_WITH_CREDENTIALS]
   */
  'ASEC_CORS_ANY_WITH_CREDENTIALS',
  /**
   * A header that scripts cannot set or read, or `"*"` with credentials. Remove it, or list the names.
   * @example
   * cors.allowedHeaders[0] must be a header name that scripts may use, received "Cookie". Remove it: the Fetch standard keeps this
   * header from scripts. [ASEC_CORS_HEADER]
   */
  'ASEC_CORS_HEADER',
  /**
   * A method that scripts cannot use, or one in lower case: methods are case-sensitive.
   * @example
   * cors.methods[0] must be a method that scripts may use, received "patch". Write it in upper case, such as "PATCH": methods are
   * case-sensitive. [ASEC_CORS_METHOD]
   */
  'ASEC_CORS_METHOD',
  /**
   * A value that the header does not take. See docs/reference/options.md#headers for the accepted forms.
   * @example
   * headers.strictTransportSecurity.preload needs includeSubDomains and a maxAge of at least 31536000. Browser preload lists take
   * no other form. [ASEC_HEADER_VALUE]
   */
  'ASEC_HEADER_VALUE',
  /**
   * A directive or a source that does not mean what it seems to mean: a keyword without quotes, a `;` or `,` in a source, a
   * directive that is given twice, or two report-only policies.
   * @example
   * headers.contentSecurityPolicy.scriptSrc holds a keyword without its quotes, received "self". Write "'self'": bare, it names a
   * host. [ASEC_CSP_DIRECTIVE]
   */
  'ASEC_CSP_DIRECTIVE',
  /**
   * Not the name of a header, or a header that has a meaning of its own.
   * @example
   * requestId.header must be a header name that has no meaning of its own, received "X Request ID". Write for example
   * "X-Request-ID" or "X-Correlation-ID". [ASEC_REQUEST_ID_HEADER]
   */
  'ASEC_REQUEST_ID_HEADER',
  /**
   * A limit that cannot be parsed. See docs/rate-limits.md#limit-strings for the grammar.
   * @example
   * rateLimit.limits leaves open whether "m" is a minute or a month, received "5/m". Write for example "5/minute", "100/15
   * minutes" or "10/second, 100/minute"; units are s, min, h, d or their names. [ASEC_LIMIT_SYNTAX]
   */
  'ASEC_LIMIT_SYNTAX',
  /**
   * A limit of 0 or above 1000000000, a window longer than 31 days, or a `cost` above everything that the limit, or the bucket,
   * ever grants.
   * @example
   * rateLimit.limits must allow 1 to 1000000000 in a window of up to 31 days, received "0/minute". To close a route, leave it out
   * or guard it; a limit of 0 is none. [ASEC_LIMIT_RANGE]
   */
  'ASEC_LIMIT_RANGE',
  /**
   * Two limits with the same name, which clients could not tell apart, or a name with characters that names may not have.
   * @example
   * rateLimit.limits gives two limits one name, received "a". Give each a name of its own. [ASEC_LIMIT_NAME]
   */
  'ASEC_LIMIT_NAME',
  /**
   * An invalid name of a tool or an agent. Tools have 1 to 128 letters, digits or `_.:/-`; `*` stands for any characters where a
   * pattern is taken.
   * @example
   * tools.allow.reporting[0] must be the name of a tool or a pattern such as "read_*", received "delete user". Write for example
   * "delete_user", or "read_*" where a pattern is taken. [ASEC_TOOL_NAME]
   */
  'ASEC_TOOL_NAME',
  /**
   * A threshold that would never be reached: there is no limit to measure it by, it is above the limit, or it is neither a share
   * (up to 1) nor a whole number of calls (above 1).
   * @example
   * tools.policies.delete_user.alertAt[0] is above every limit of the tool, received 1000. Write for example limit: "1000/hour"
   * with alertAt: [100], or [0.8, 1]. [ASEC_TOOL_ALERT]
   */
  'ASEC_TOOL_ALERT',
  /**
   * Not a scope of RFC 6749. Write several scopes as several strings.
   * @example
   * tools.policies.delete_user.scopes[0] must be a scope of RFC 6749, received "users delete". Write for example "users:delete":
   * printable characters without space, quote or backslash. [ASEC_TOOL_SCOPE]
   */
  'ASEC_TOOL_SCOPE',
  /**
   * Two handlers declare one tool with different options, or `tools.policies` names a tool that a handler declares.
   * @example
   * @AgentTool("delete_user") is declared in two ways, received at DeletingController.remove. Declare a tool in one place, or
   * alike on each of its handlers. [ASEC_TOOL_TWICE]
   */
  'ASEC_TOOL_TWICE',
  /**
   * A short key can be guessed, and the whole chain can then be forged.
   * @example
   * audit.key must be a text of at least 32 characters, received 7 characters. Make one with: openssl rand -hex 32.
   * [ASEC_AUDIT_KEY]
   */
  'ASEC_AUDIT_KEY',
  /**
   * The audit file cannot be written, is in use already, belongs to another user, is writable by its group or others,
   * or does not continue its chain: it was changed, truncated, or made with another key. See
   * docs/audit.md#starting-on-a-broken-file.
   * @example
   * audit.file "/nowhere/audit.log" cannot be opened (ENOENT: no such file or directory, open '/nowhere/audit.log.lock'). Create
   * its directory, and let this process write there. [ASEC_AUDIT_FILE]
   */
  'ASEC_AUDIT_FILE',
  /**
   * `true` would trust the forwarded headers of every client. Name the proxies, or count the hops.
   * @example
   * trustProxy must not be true: every client could then choose its own address. Name the proxies ("10.0.0.0/8", "loopback") or
   * count the hops (1). [ASEC_TRUST_ALL]
   */
  'ASEC_TRUST_ALL',
  /**
   * Not a list of networks, or one that covers every address.
   * @example
   * trustProxy is not a list of networks, received [ "10.0.0.0/40" ]. Write for example "loopback", ["10.0.0.0/8", "fd00::/8"] or
   * 1. [ASEC_TRUST_INVALID]
   */
  'ASEC_TRUST_INVALID',
  /**
   * A method that Node's parser does not accept, or a `@Verb()` that is an HTTP method already. Methods and verbs are
   * case-sensitive.
   * @example
   * methods[0] must be a method that Node knows, received "get". Write it in upper case, such as "PATCH"; TRACE and CONNECT are
   * never served. A verb of your own is a @Verb(). [ASEC_METHOD_NAME]
   */
  'ASEC_METHOD_NAME',
  /**
   * Two imports of the module with different options in one app. Keep the one in the root module.
   * @example
   * AgentSecurityModule is configured twice in this app. Import it once, in the root module: its guards and services are global, and
   * other modules need no import. [ASEC_MODULE_TWICE]
   */
  'ASEC_MODULE_TWICE',
  /**
   * No list of algorithms, an unknown algorithm (`none` is one), or shared secrets (`HS256`) beside public keys (`ES256`) in one
   * list.
   * @example
   * auth.tokens.algorithms must name the signature algorithms of the issuer, received undefined. Write for example ['ES256'].
   * [ASEC_TOKEN_ALGORITHM]
   */
  'ASEC_TOKEN_ALGORITHM',
  /**
   * A key that cannot be read, is too weak or does not fit the algorithms; no key at all; or keys given in two ways. The message
   * shows nothing of the key.
   * @example
   * auth.tokens.keys is not for signatures ("use"). Pass a JWK, PEM text or a KeyObject of a type that the algorithms use: EC,
   * Ed25519, or RSA of 2048 bits and more. [ASEC_TOKEN_KEY]
   */
  'ASEC_TOKEN_KEY',
  /**
   * The server listens on an address that `mcp.network` does not allow. Listen on `127.0.0.1`, or allow `'private'` or `'any'`.
   * @example
   * mcp.network is "loopback", and the server listens on 0.0.0.0. Listen on the loopback address: app.listen(port, '127.0.0.1').
   * Or set mcp.network to the networks that may connect. [ASEC_MCP_NETWORK]
   */
  'ASEC_MCP_NETWORK',
  /**
   * A secret that proxies sign with is missing or too short. The value is not shown.
   * @example
   * mcp.proxyProof.secrets must hold secrets of at least 32 characters, received others. Make one with: openssl rand -hex 32. Give
   * it to the proxy and to this app alone. [ASEC_PROXY_SECRET]
   */
  'ASEC_PROXY_SECRET',
  /**
   * `auth` is on, and neither API keys, tokens nor `identify` are configured. Configure one of them.
   * @example
   * auth is on, but no kind of credential is configured, so that every request would be rejected. Set apiKeys (AUTH_KEYS_FILE,
   * AUTH_API_KEYS), tokens or identify, or set auth to false. [ASEC_AUTH_NONE]
   */
  'ASEC_AUTH_NONE',
  /**
   * No location of the keys, several, or one that cannot be read, or an agent whose tier `rateLimit.tiers` does not name. The
   * message shows no key.
   * @example
   * auth.apiKeys names no source of keys. Set store, file (AUTH_KEYS_FILE) or book (AUTH_API_KEYS). [ASEC_AUTH_KEYS]
   */
  'ASEC_AUTH_KEYS',
  /**
   * The secret of key digests is missing or too short. The value is never shown.
   * @example
   * auth.apiKeys.secret must hold one or several different secrets of at least 32 characters. Create one with "openssl rand
   * -base64 48", and store it apart from the keys. [ASEC_AUTH_SECRET]
   */
  'ASEC_AUTH_SECRET',
  /**
   * A URL that cannot identify an issuer or a resource: one without https (http is for loopback names), or with a fragment.
   * @example
   * auth.resource must be an https URL without fragment, received "api.example.com". Write for example "https://api.example.com";
   * http is for loopback names. [ASEC_AUTH_URL]
   */
  'ASEC_AUTH_URL',
  /**
   * Scopes that would not be enforced: of a route or of `dashboard` while `auth` is off, or beside `@Public()`.
   * @example
   * @Scopes() is used on DataController.read, but auth is off, so that scopes are not checked. Set auth, or remove the decorator.
   * [ASEC_AUTH_ROUTE]
   */
  'ASEC_AUTH_ROUTE',
] as const;

/**
 * A code of `AgentSecurityConfigError`, listed in docs/reference/errors.md.
 * @example
 * const code: ConfigErrorCode = 'ASEC_HOST_SCHEME';
 */
export type ConfigErrorCode = (typeof CONFIG_ERROR_CODES)[number];
