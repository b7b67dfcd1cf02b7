import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { requestState } from '../common/request-state.js';

/**
 * The client's address, read through trusted proxies only: `203.0.113.7`, `2001:db8::1`.
 * @example
 * whoAmI(@ClientAddress() address: string) {}
 */
export const ClientAddress: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) =>
    requestState(context.switchToHttp().getResponse())?.client.address,
);
