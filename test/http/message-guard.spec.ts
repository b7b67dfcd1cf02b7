import type { ExecutionContext } from '@nestjs/common';
import { REQUEST_STATE } from '../../src/common/request-state.js';
import { ACTIVATE, MessageGuard } from '../../src/http/message.guard.js';

const answer = (body: object | undefined): unknown => {
  const inner = { canActivate: () => Promise.resolve(true), [ACTIVATE]: () => true };
  const context = { getType: () => 'http', getArgByIndex: () => ({ [REQUEST_STATE]: { body } }) };
  return new MessageGuard(inner, undefined).canActivate(context as unknown as ExecutionContext);
};

test.each<[title: string, body: object | undefined, isPromise: boolean]>([
  ['answers at once without a body', undefined, false],
  ['answers at once when the body has begun to arrive', { bytes: 1 }, false],
  ['answers with a promise before the first byte of the body', { bytes: 0 }, true],
])('%s', (_title, body, isPromise) => {
  expect(answer(body) instanceof Promise).toBe(isPromise);
});
