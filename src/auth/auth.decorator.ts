import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { Agent } from '../common/agent.js';
import { stateOfCall } from '../common/read-call.js';
import { readArgument, readBoolean, receivedError } from '../common/read-options.js';
import { isScope } from '../identity/create-agent.js';
import { ANY_SCOPE_KEY, PUBLIC_KEY, SCOPES_KEY } from './route-accesses.js';

type Decorator = ClassDecorator & MethodDecorator;

/**
 * Injects the authenticated agent; `undefined` on a `@Public()` route that is called without a credential.
 * @example
 * @Get('me')
 * me(@CurrentAgent() agent: Agent) { return { id: agent.id, scopes: agent.scopes }; }
 */
export const CurrentAgent: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Agent | undefined => stateOfCall(context)?.agent,
);

/**
 * Allows requests without a credential on a controller or a handler. A credential that is sent must still be valid, and authenticates the
 * agent. `@Public(false)` exempts a handler from the `@Public()` of its class.
 * @example
 * @Get('status')
 * @Public()
 * status() {}
 */
export function Public(...given: [isPublic?: boolean]): Decorator {
  return SetMetadata(PUBLIC_KEY, readBoolean('@Public()', readArgument('@Public()', given, true), true));
}

/**
 * Requires all of these scopes; agents without one of them get 403 `insufficient_scope`. On a handler, it replaces the scopes of the class.
 * @throws AgentSecurityConfigError when the class is defined, for an invalid scope
 * @example
 * @Delete('reports/:id')
 * @Scopes('reports:write', 'reports:delete')
 * remove(@Param('id') id: string) {}
 */
export function Scopes(...scopes: string[]): Decorator {
  return SetMetadata(SCOPES_KEY, checkScopes('@Scopes()', scopes));
}

/**
 * Requires at least one of these scopes. Together with `@Scopes()`, both apply.
 * @example
 * @Get('reports')
 * @AnyScope('reports:read', 'reports:admin')
 * list() {}
 */
export function AnyScope(...scopes: string[]): Decorator {
  return SetMetadata(ANY_SCOPE_KEY, checkScopes('@AnyScope()', scopes));
}

function checkScopes(option: string, scopes: readonly unknown[]): readonly string[] {
  if (scopes.length > 0 && scopes.every(isScope)) return Object.freeze([...new Set(scopes)]);
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must name scopes, visible ASCII without quotes and backslashes',
    'Write for example "data:read"; several as several arguments.',
    scopes,
  );
}
