import { Reflector } from '@nestjs/core';
import { readGiven } from '../common/read-options.js';
import { readBytes } from '../common/read-body.js';

/**
 * Sets the longest body of a controller or a handler, in bytes or as text (`'64kb'`). It lowers `body.maxBytes` and the
 * parser's limit, and raises neither. A longer body gets 413 before the handler runs. A handler's limit replaces that
 * of its class.
 * @throws AgentSecurityConfigError when the class is defined, for an invalid size
 * @example
 * @Post('notes')
 * @MaxBody('64kb')
 * create(@Body() note: Note) {}
 */
export const MaxBody = Reflector.createDecorator<number | string, number>({
  key: 'agent-security:max-body',
  transform: size => readBytes('@MaxBody()', readGiven('@MaxBody()', size), 0),
});
