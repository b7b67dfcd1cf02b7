/* Names and `read_*` patterns of tools and agents. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { readStringList, show } from '../common/read-options.js';

/** As MCP 2025-11-25 allows them, and `:` and `/` for names in folders. */
const TOOL_NAME = /^[\w.:/-]{1,128}$/;
/** Anything printable: agents are named by whoever issues their credentials. */
const AGENT_PATTERN = /^[\x21-\x7e]{1,256}$/;
const TOOL_PATTERN = /^[\w.:/*-]{1,128}$/;

export function readToolName(option: string, value: unknown): string {
  if (typeof value === 'string' && TOOL_NAME.test(value)) return value;
  throw nameError(option, value, 'must be a name of 1 to 128 letters, digits or _.:/-');
}

/** Names of tools, in which `*` stands for any characters. */
export function readToolPatterns(option: string, value: unknown): NameSet {
  const patterns = readStringList(option, value, []);
  for (const [index, pattern] of patterns.entries()) checkToolPattern(`${option}[${index}]`, pattern);
  return compileNames(patterns);
}

export function checkToolPattern(option: string, pattern: string): void {
  if (!TOOL_PATTERN.test(pattern))
    throw nameError(option, pattern, 'must be the name of a tool or a pattern such as "read_*"');
}

export function checkAgentPattern(option: string, pattern: string): void {
  if (!AGENT_PATTERN.test(pattern))
    throw nameError(option, pattern, 'must be the ID of an agent or a pattern such as "reporting-*"');
}

function nameError(option: string, value: unknown, problem: string): AgentSecurityConfigError {
  return new AgentSecurityConfigError(
    'ASEC_TOOL_NAME',
    option,
    `${problem}, received ${show(value)}`,
    'Write for example "delete_user", or "read_*" where a pattern is taken.',
    value,
  );
}

export interface NameSet {
  has(name: string): boolean;
}

/** Exact names by one look-up, patterns one after the other. */
export function compileNames(names: readonly string[]): NameSet {
  const exact = new Set(names.filter(name => !name.includes('*')));
  const patterns = names.filter(name => name.includes('*'));
  return { has: name => exact.has(name) || patterns.some(pattern => matchesPattern(pattern, name)) };
}

/** Whether `name` is what `pattern` says; `*` stands for any characters, also none. Linear: a client chooses the name. */
export function matchesPattern(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  const first = parts[0]!;
  if (parts.length === 1) return name === first;
  const last = parts.at(-1)!;
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
