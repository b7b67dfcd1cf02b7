import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { requestState } from '../common/request-state.js';

/**
 * A parameter decorator for the client's address (`203.0.113.7`, `2001:db8::1`), read through trusted proxies only.
 * @example
 * audit(@ClientAddress() address: string) {}
 */
export const ClientAddress: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) =>
    requestState(context.switchToHttp().getResponse())?.client.address,
);
