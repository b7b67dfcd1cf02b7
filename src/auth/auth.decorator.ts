import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { Agent } from '../common/agent.js';
import { readArgument, readBoolean, receivedError } from '../common/read-options.js';
import { stateOfCall } from './auth-call.js';
import { SCOPE } from './key-book.js';
import { ANY_SCOPE_KEY, PUBLIC_KEY, SCOPES_KEY } from './route-access.js';

type Decorator = ClassDecorator & MethodDecorator;

/**
 * The verified agent of the request; `undefined` on a `@Public()` route that is called without a credential.
 * @example
 * me(@CurrentAgent() agent: Agent) {}
 */
export const CurrentAgent: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Agent | undefined => stateOfCall(context)?.agent,
);

/**
 * Serves a controller or a handler without an agent. A credential that is sent all the same must be valid: it then names the agent.
 * `@Public(false)` takes a handler out of its class's `@Public()`.
 * @example
 * @Public()
 */
export function Public(...given: [isPublic?: boolean]): Decorator {
  return SetMetadata(PUBLIC_KEY, readBoolean('@Public()', readArgument('@Public()', given, true), true));
}

/**
 * Serves agents that have all of these scopes; others are answered with 403 `insufficient_scope`. On a handler, it replaces what its
 * class says.
 * @throws AgentSecurityConfigError when the class is defined, for a text that is no scope
 * @example
 * @Scopes('data:read')
 */
export function Scopes(...scopes: string[]): Decorator {
  return SetMetadata(SCOPES_KEY, checkScopes('@Scopes()', scopes));
}

/**
 * Serves agents that have one of these scopes at least. Beside `@Scopes()`, both must hold.
 * @example
 * @AnyScope('reports:read', 'reports:write')
 */
export function AnyScope(...scopes: string[]): Decorator {
  return SetMetadata(ANY_SCOPE_KEY, checkScopes('@AnyScope()', scopes));
}

function checkScopes(option: string, scopes: readonly unknown[]): readonly string[] {
  if (scopes.length > 0 && scopes.every(scope => typeof scope === 'string' && SCOPE.test(scope)))
    return Object.freeze([...new Set(scopes as string[])]);
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must name scopes, visible ASCII without quotes and backslashes',
    'Write for example "data:read"; several as several arguments.',
    scopes,
  );
}
