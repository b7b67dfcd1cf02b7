/* Agents for tests of what comes behind identity: a guard in the place of the real one, which believes a header. */
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Agent } from '../../src/common/agent.js';
import { requestState } from '../../src/common/request-state.js';
import { HostGuard } from '../../src/index.js';

export const agent = (id: string, parts: Partial<Agent> = {}): Agent => ({
  id,
  kind: 'custom',
  scopes: [],
  claims: {},
  ...parts,
});

/** In place of HostGuard, so that it runs where identity is found: `x-agent: <id> <scope>,<scope> <tool>,<tool>`. */
@Injectable()
export class HeaderAgentGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: NodeJS.Dict<string> }>();
    const [id, scopes, tools] = (headers['x-agent'] ?? '').split(' ');
    if (id) {
      requestState(context.switchToHttp().getResponse())!.agent = agent(id, {
        scopes: scopes ? scopes.split(',') : [],
        ...(tools ? { tools: tools.split(',') } : {}),
      });
    }
    return true;
  }
}

export const headerAgents = { provide: HostGuard, useClass: HeaderAgentGuard };
