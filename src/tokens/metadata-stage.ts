/* Serves the metadata of the authorization server (RFC 8414) and of the protected resource (RFC 9728), and the public keys (RFC 7517). The
 * documents are public, so pages of every origin may read them: an MCP client in a browser finds the authorization server by them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../common/clock.js';
import { requestPath } from '../common/http-request.js';
import type { RequestState } from '../common/request-state.js';
import { isPreflight } from '../cors/decide-cors.js';
import { sendJson } from './send-json.js';
import { publicKeySet } from './signing-keys.js';
import type { ResolvedTokenEndpoint } from './token-endpoint.options.js';
import type { TokenIssuer } from './token-issuer.js';
import type { ResolvedDpop } from './tokens.options.js';

export class MetadataStage {
  readonly isOpenToOrigins = true;
  readonly #documents: ReadonlyMap<string, Buffer>;
  readonly #cacheControl: string;

  /** @param documents by path; they are serialized once */
  constructor(
    documents: ReadonlyMap<string, unknown>,
    maxAgeMs: number,
    private readonly keys: { readonly path: string; readonly issuer: TokenIssuer } | undefined,
    private readonly clock: Clock,
  ) {
    this.#documents = new Map([...documents].map(([path, document]) => [path, serialize(document)]));
    this.#cacheControl = `public, max-age=${Math.floor(maxAgeMs / 1_000)}`;
  }

  claims(raw: IncomingMessage): boolean {
    const path = requestPath(raw.url ?? '');
    return this.#documents.has(path) || path === this.keys?.path;
  }

  async run(raw: IncomingMessage, response: ServerResponse, { cors }: RequestState): Promise<boolean> {
    // An origin that `cors` lists has its grant, which may include credentials.
    cors.grantHeaders ??= ANY_ORIGIN;
    if (isPreflight(raw)) {
      answerPreflight(response);
      return false;
    }
    if (raw.method !== 'GET' && raw.method !== 'HEAD') {
      const error = { error: 'invalid_request', error_description: 'The method is GET.' };
      sendJson(raw, response, 405, { Allow: 'GET, HEAD' }, error);
      return false;
    }
    const document = this.#documents.get(requestPath(raw.url ?? ''));
    const body = document ?? (await this.#serializeKeys());
    response.writeHead(200, {
      // RFC 7517 section 8.5.
      'Content-Type': document === undefined ? 'application/jwk-set+json' : 'application/json',
      'Content-Length': body.length,
      'Cache-Control': this.#cacheControl,
    });
    response.end(raw.method === 'HEAD' ? undefined : body);
    return false;
  }

  async #serializeKeys(): Promise<Buffer> {
    const { keys } = this.keys!.issuer;
    await keys.refresh(this.clock.monotonicMs());
    return serialize(publicKeySet(keys.keys, this.clock.epochMs()));
  }
}

const ANY_ORIGIN = ['Access-Control-Allow-Origin', '*'];

function answerPreflight(response: ServerResponse): void {
  response.writeHead(204, {
    'Access-Control-Allow-Methods': 'GET, HEAD',
    'Access-Control-Allow-Headers': '*',
    'Access-Control-Max-Age': '600',
  });
  response.end();
}

function serialize(document: unknown): Buffer {
  return Buffer.from(JSON.stringify(document));
}

interface ResourceDescription {
  readonly resource: string;
  readonly issuers: readonly string[];
  readonly scopes: readonly string[];
  readonly dpop: ResolvedDpop | undefined;
}

/** The documents by path. That of a URL with a path is also served at the plain well-known path, where some clients look. */
export function metadataDocuments(
  server: ResolvedTokenEndpoint | undefined,
  resource: ResourceDescription | undefined,
): ReadonlyMap<string, unknown> {
  const documents = new Map<string, unknown>();
  const add = (wellKnown: string, url: string, document: unknown): void => {
    const { pathname } = new URL(url);
    // The well-known path precedes the URL's own. RFC 9728 section 3.1 keeps the slash at its end, RFC 8414 section 3.1 removes it.
    for (const path of [pathname, pathname.replace(/\/$/, ''), '']) documents.set(wellKnown + path, document);
  };
  if (server !== undefined)
    add('/.well-known/oauth-authorization-server', server.issuer, describeServer(server));
  if (resource !== undefined)
    add('/.well-known/oauth-protected-resource', resource.resource, describeResource(resource));
  return documents;
}

function describeServer(server: ResolvedTokenEndpoint): unknown {
  const { issuer, path, authorizationPath, jwksPath, resources, scopes, dpop } = server;
  const { origin } = new URL(issuer);
  return {
    issuer,
    // RFC 8414 lets servers without such a grant leave it out. The MCP SDK 1.32 and the MCP client 2.4 do not.
    authorization_endpoint: origin + authorizationPath,
    token_endpoint: origin + path,
    jwks_uri: origin + jwksPath,
    grant_types_supported: ['client_credentials'],
    // Required by RFC 8414, though the only grant has none.
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    scopes_supported: scopes.length > 0 ? scopes : undefined,
    dpop_signing_alg_values_supported: dpop?.algorithms,
    protected_resources: resources,
  };
}

function describeResource({ resource, issuers, scopes, dpop }: ResourceDescription): unknown {
  return {
    resource,
    authorization_servers: issuers,
    bearer_methods_supported: ['header'],
    scopes_supported: scopes.length > 0 ? scopes : undefined,
    dpop_signing_alg_values_supported: dpop?.algorithms,
    dpop_bound_access_tokens_required: dpop?.required,
  };
}
