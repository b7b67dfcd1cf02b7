import {
  boolean,
  expandShort,
  optional,
  type OptionTable,
  type ReadOption,
  readTable,
} from '../common/option-table.js';
import { isRecord, receivedError, rejectMissing } from '../common/read-options.js';
import { showName } from '../common/show-value.js';
import { checkAgentPattern, readToolPattern, readToolPatterns } from './name-pattern.js';
import type { Tool } from './tool.js';
import { type AgentToolOptions, resolveToolOptions } from './tool.options.js';
import { NameMap, type NameSet } from './name-map.js';

/**
 * Which agents may call which tools.
 * @example
 * AgentSecurityModule.forRoot({ tools: { allow: { 'reporting-*': ['read_*', 'export_csv'] }, requireAgent: true } })
 */
export interface ToolsOptions {
  /**
   * Which tools an agent may call, by its ID or a pattern of IDs: `{ 'reporting-*': ['read_*', 'export_csv'] }`. The exact ID takes
   * precedence, then the first pattern that matches. A tool that is not listed gets 403 `tool_not_allowed`: an agent that matches no
   * entry may call no tool, and `{}` denies every tool to every agent. `{ '*': ['*'] }` allows every agent every tool. An agent's own
   * list (`agent.tools`) narrows its entry further.
   *
   * Note: with `requireAgent: false`, the entry `'*'` also covers callers without a credential. They match no other entry.
   * @default every agent may call every tool
   */
  allow?: Readonly<Record<string, readonly string[]>>;
  /**
   * Declares tools without `@AgentTool()`, such as those of an MCP server, by name or pattern: the exact name takes precedence, then the
   * first pattern that matches. A name that a handler declares too stops the start-up.
   * @default none
   */
  policies?: Readonly<Record<string, AgentToolOptions>>;
  /**
   * Whether every tool needs an authenticated agent: calls without one get 401 `credential_missing`. A tool with scopes always needs one.
   * @default true where `allow` is given, since an agent must not evade its list by omitting its credential; otherwise `false`
   */
  requireAgent?: boolean;
}

const TABLE = {
  allow: record('an object of agents and their tools', (option, pattern, value): NameSet => {
    checkAgentPattern(option, pattern);
    return readToolPatterns(option, value);
  }),
  policies: record('an object of tools and their options', (option, pattern, value): Tool =>
    resolveToolOptions(option, readToolPattern(option, pattern), value),
  ),
  requireAgent: optional(boolean(false)),
} satisfies OptionTable<ToolsOptions>;

export interface ResolvedTools {
  /** The lists of agents; `undefined` where the option is not given. */
  readonly allow: NameMap<NameSet> | undefined;
  readonly policies: NameMap<Tool>;
  readonly requireAgent: boolean;
}

export function resolveTools(input: unknown): ResolvedTools | false {
  if (input === false) return false;
  const {
    allow,
    policies = new NameMap<Tool>(),
    requireAgent = allow !== undefined,
  } = readTable('tools', expandShort(input), TABLE);
  return { allow, policies, requireAgent };
}

/** An object whose keys the app chooses. */
function record<T>(
  expected: string,
  read: (option: string, key: string, value: unknown) => T,
): ReadOption<NameMap<T> | undefined> {
  return optional((option, value) => {
    if (!isRecord(value))
      throw receivedError('ASEC_OPTION_TYPE', option, `must be ${expected}`, `Pass ${expected}.`, value);
    rejectMissing(option, value);
    return new NameMap(
      Object.entries(value).map(([key, own]) => [key, read(`${option}.${showName(key)}`, key, own)] as const),
    );
  });
}
