import { Reflector } from '@nestjs/core';
import { bytes } from '../common/option-table.js';
import { readGiven } from '../common/read-options.js';

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
  transform: size => bytes(0)('@MaxBody()', readGiven('@MaxBody()', size)),
});
