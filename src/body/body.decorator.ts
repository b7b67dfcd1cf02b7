import { Reflector } from '@nestjs/core';
import { readGiven } from '../common/read-options.js';
import { readBytes } from '../common/read-bytes.js';

/**
 * The largest body of a controller or a handler, in bytes or as text (`'64kb'`). It narrows `body.maxBytes` and the parser's own limit, and
 * widens neither. More is answered with 413 before the handler runs. A handler's replaces its class's.
 * @throws AgentSecurityConfigError when the class is defined, for what is no size
 * @example
 * @MaxBody('64kb')
 */
export const MaxBody = Reflector.createDecorator<number | string, number>({
  key: 'agent-security:max-body',
  transform: size => readBytes('@MaxBody()', readGiven('@MaxBody()', size), 0),
});
