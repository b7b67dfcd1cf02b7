import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { requestState } from '../common/request-state.js';

/**
 * A parameter decorator for the request ID, as in the response header and in problem bodies.
 * @example
 * create(@RequestId() requestId: string) {}
 */
export const RequestId: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => requestState(context.switchToHttp().getResponse())?.id,
);
