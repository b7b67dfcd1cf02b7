/* Binds the module's guards to the gateways: Nest 11 runs no global guards for their messages. Where Nest runs them too, a guard decides
 * once per message (message.guard.ts). */
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';

/** The metadata key of @nestjs/websockets, which is not imported. */
export const GATEWAY_KEY = 'websockets:is_gateway';
/** That of `@UseGuards()`. */
const GUARDS_KEY = '__guards__';

/**
 * Stands for the guards of the app. The metadata of a class is shared by all apps of the process, so it names this class, and the modules
 * of each app provide the instance. An app without AgentSecurityModule creates one without guards.
 */
class GatewayGuards implements CanActivate {
  constructor(private readonly guards: readonly CanActivate[] = []) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    for (const guard of this.guards) if (!(await guard.canActivate(context))) return false;
    return true;
  }
}

/**
 * To be called before Nest connects the gateways, which it does when the app is initialized.
 * @param guards whose decision is a boolean or a promise of one
 */
export function bindGatewayGuards(modules: ModulesContainer, guards: readonly CanActivate[]): void {
  if (guards.length === 0) return;
  const useValue = new GatewayGuards(guards);
  for (const module of modules.values()) {
    for (const { metatype } of module.providers.values()) {
      if (typeof metatype !== 'function' || !Reflect.hasMetadata(GATEWAY_KEY, metatype)) continue;
      // Where Nest looks for the instance of a guard that a class binds.
      module.addInjectable({ provide: GatewayGuards, useValue }, 'guard');
      const bound = (Reflect.getMetadata(GUARDS_KEY, metatype) ?? []) as readonly unknown[];
      if (!bound.includes(GatewayGuards))
        Reflect.defineMetadata(GUARDS_KEY, [GatewayGuards, ...bound], metatype);
    }
  }
}
