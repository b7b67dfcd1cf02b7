/* Metadata documents: of the authorization server (RFC 8414) and of the protected resource (RFC 9728). */
import type { ResolvedDpop } from './tokens.options.js';

export const AUTHORIZATION_SERVER_PATH = '/.well-known/oauth-authorization-server';
export const PROTECTED_RESOURCE_PATH = '/.well-known/oauth-protected-resource';

type Document = Readonly<Record<string, unknown>>;

export interface ServerDescription {
  readonly issuer: string;
  readonly path: string;
  readonly jwksPath: string;
  readonly resources: readonly string[];
  readonly scopes: readonly string[];
  readonly dpop: ResolvedDpop | undefined;
}

export function describeServer(server: ServerDescription): Document {
  const { origin } = new URL(server.issuer);
  return {
    issuer: server.issuer,
    token_endpoint: origin + server.path,
    jwks_uri: origin + server.jwksPath,
    grant_types_supported: ['client_credentials'],
    // Required by RFC 8414, though the only grant has none.
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    ...(server.scopes.length > 0 ? { scopes_supported: server.scopes } : {}),
    ...(server.dpop ? { dpop_signing_alg_values_supported: server.dpop.algorithms } : {}),
    protected_resources: server.resources,
  };
}

export interface ResourceDescription {
  readonly resource: string;
  readonly issuers: readonly string[];
  readonly scopes: readonly string[];
  readonly dpop: ResolvedDpop | undefined;
}

export function describeResource({ resource, issuers, scopes, dpop }: ResourceDescription): Document {
  return {
    resource,
    authorization_servers: issuers,
    bearer_methods_supported: ['header'],
    ...(scopes.length > 0 ? { scopes_supported: scopes } : {}),
    ...(dpop
      ? {
          dpop_signing_alg_values_supported: dpop.algorithms,
          dpop_bound_access_tokens_required: dpop.required,
        }
      : {}),
  };
}

/** The path of a URL's metadata: the well-known path precedes the URL's own (RFC 8414 section 3.1, RFC 9728 section 3.1). */
export function metadataPath(wellKnown: string, url: string): string {
  const { pathname } = new URL(url);
  return pathname === '/' ? wellKnown : wellKnown + pathname.replace(/\/$/, '');
}

/** The documents by path. That of a URL with a path is also served at the plain well-known path, where some clients look. */
export function metadataDocuments(
  server: ServerDescription | undefined,
  resource: ResourceDescription | undefined,
): ReadonlyMap<string, Document> {
  const documents = new Map<string, Document>();
  if (server !== undefined) {
    const document = describeServer(server);
    documents.set(metadataPath(AUTHORIZATION_SERVER_PATH, server.issuer), document);
    documents.set(AUTHORIZATION_SERVER_PATH, document);
  }
  if (resource !== undefined) {
    const document = describeResource(resource);
    documents.set(metadataPath(PROTECTED_RESOURCE_PATH, resource.resource), document);
    documents.set(PROTECTED_RESOURCE_PATH, document);
  }
  return documents;
}
