/* Names and `read_*` patterns of tools and agents. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { list, mapped } from '../common/option-table.js';
import { receivedError } from '../common/read-options.js';
import { isAgentId } from '../identity/create-agent.js';
import { NameSet } from './name-map.js';

/** As MCP 2025-11-25 allows them, and `:` and `/` for names in folders. */
const TOOL_NAME = /^[\w.:/-]{1,128}$/;
const TOOL_PATTERN = /^[\w.:/*-]{1,128}$/;

export function readToolName(option: string, value: unknown): string {
  if (typeof value === 'string' && TOOL_NAME.test(value)) return value;
  throw nameError(option, value, 'must be a name of 1 to 128 letters, digits or _.:/-');
}

/** Names of tools, in which `*` stands for any characters. */
export const readToolPatterns = mapped(list(readToolPattern), patterns => new NameSet(patterns));

export function readToolPattern(option: string, pattern: unknown): string {
  if (typeof pattern === 'string' && TOOL_PATTERN.test(pattern)) return pattern;
  throw nameError(option, pattern, 'must be the name of a tool or a pattern such as "read_*"');
}

export function checkAgentPattern(option: string, pattern: string): void {
  if (!isAgentId(pattern))
    throw nameError(option, pattern, 'must be the ID of an agent or a pattern such as "reporting-*"');
}

function nameError(option: string, value: unknown, problem: string): AgentSecurityConfigError {
  return receivedError(
    'ASEC_TOOL_NAME',
    option,
    problem,
    'Write for example "delete_user", or "read_*" where a pattern is taken.',
    value,
  );
}
