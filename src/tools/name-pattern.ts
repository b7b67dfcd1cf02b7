/* Names and `read_*` patterns of tools and agents. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { list, mapped } from '../common/option-table.js';
import { receivedError } from '../common/read-options.js';
import { isAgentId } from '../identity/create-agent.js';

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

/** A map from names and patterns: the exact name wins, then the first pattern that matches. */
export class NameMap<T> {
  readonly #exact = new Map<string, T>();
  readonly #patterns: [pattern: string, value: T][] = [];

  constructor(entries: Iterable<readonly [name: string, value: T]> = []) {
    for (const [name, value] of entries) {
      if (name.includes('*')) this.#patterns.push([name, value]);
      else this.#exact.set(name, value);
    }
  }

  get(name: string): T | undefined {
    return this.#exact.get(name) ?? this.#patterns.find(([pattern]) => matchesPattern(pattern, name))?.[1];
  }

  hasExact(name: string): boolean {
    return this.#exact.has(name);
  }
}

export class NameSet {
  readonly #names: NameMap<true>;

  constructor(names: readonly string[]) {
    this.#names = new NameMap(names.map(name => [name, true] as const));
  }

  has(name: string): boolean {
    return this.#names.get(name) === true;
  }
}

/** Whether a name matches a pattern, in which `*` stands for any characters, or none. Linear: a client chooses the name. */
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
