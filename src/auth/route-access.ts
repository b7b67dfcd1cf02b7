/* Which agents may call a route, resolved once per route from @Public, @Scopes and @AnyScope. */
import { AgentSecurityConfigError } from '../common/config-error.js';

export interface RouteAccess {
  readonly isPublic: boolean;
  /** Scopes of which the agent needs all. */
  readonly all: readonly string[];
  /** Scopes of which the agent needs one; empty for no such requirement. */
  readonly any: readonly string[];
}

/** The metadata keys of the decorators. */
export const PUBLIC_KEY = 'agent-security:public';
export const SCOPES_KEY = 'agent-security:scopes';
export const ANY_SCOPE_KEY = 'agent-security:any-scope';

/** The metadata of a class or a handler. */
export interface AccessMetadata {
  readonly isPublic: boolean | undefined;
  readonly all: readonly string[] | undefined;
  readonly any: readonly string[] | undefined;
}

export const needsScopes = ({ all, any }: AccessMetadata): boolean => all !== undefined || any !== undefined;

/**
 * A handler's metadata takes precedence over its class's: its scopes replace the class's scopes and its @Public().
 * @throws AgentSecurityConfigError for a route that is public and requires scopes
 */
export function resolveAccess(
  route: string,
  handler: AccessMetadata,
  controller: AccessMetadata,
): RouteAccess {
  for (const [name, metadata] of [
    [route, handler] as const,
    [`the class of ${route}`, controller] as const,
  ]) {
    if (metadata.isPublic !== true || !needsScopes(metadata)) continue;
    throw new AgentSecurityConfigError(
      'ASEC_AUTH_ROUTE',
      '@Public()',
      `is combined with scopes on ${name}, which a public route does not check`,
      'Remove one of the two.',
    );
  }
  if (handler.isPublic === true) return { isPublic: true, all: [], any: [] };
  const source = needsScopes(handler) ? handler : controller;
  const isPublic = handler.isPublic ?? (needsScopes(handler) ? false : controller.isPublic === true);
  return { isPublic, all: source.all ?? [], any: source.any ?? [] };
}

/** Whether an agent with these scopes may call a route. */
export function hasAccess({ all, any }: RouteAccess, scopes: readonly string[]): boolean {
  return (
    all.every(scope => scopes.includes(scope)) &&
    (any.length === 0 || any.some(scope => scopes.includes(scope)))
  );
}
