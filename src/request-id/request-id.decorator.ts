import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { requestState } from '../common/request-state.js';

/**
 * The request's ID: the one in the response's header and in problem bodies.
 * @example
 * create(@RequestId() id: string) {}
 */
export const RequestId: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => requestState(context.switchToHttp().getResponse())?.id,
);
