import {
  isRecord,
  readBoolean,
  readInteger,
  readObject,
  receivedError,
  rejectMissing,
} from '../common/read-options.js';
import { showName } from '../common/show-value.js';
import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  checkAgentPattern,
  checkToolPattern,
  NameMap,
  type NameSet,
  readToolPatterns,
} from './name-pattern.js';
import { type AgentToolOptions, resolveToolOptions, type Tool } from './tool.js';

export interface ToolsOptions {
  /**
   * Which tools an agent may call, by its ID or a pattern of IDs: `{ 'reporting-*': ['read_*', 'export_csv'] }`. The exact ID takes
   * precedence, then the first pattern that matches. A tool that the list does not name gets 403 `tool_not_allowed`: an agent that
   * matches no entry may call no tool, and `{}` denies every tool to every agent. `{ '*': ['*'] }` allows every agent every tool. An
   * agent's own list (`agent.tools`) narrows its entry further.
   *
   * Note: with `requireAgent: false`, the entry `'*'` also covers callers without a credential. They match no other entry.
   * @default every agent may call every tool
   */
  allow?: Readonly<Record<string, readonly string[]>>;
  /**
   * What `@AgentTool()` would declare (`limit`, `alertAt`, `scopes`, `impact`, `redact`) for tools that no handler declares, such as
   * those of an MCP server, by their name or a pattern. The exact name takes precedence, then the first pattern that matches. A name
   * that a handler declares too stops the start-up.
   * @default none
   */
  policies?: Readonly<Record<string, AgentToolOptions>>;
  /**
   * Whether every tool needs a verified agent: 401 `credential_missing` without one. A tool with scopes always needs one.
   * @default `true` with `tools.allow`, since an agent must not bypass its list by leaving its credential out; else `false`
   */
  requireAgent?: boolean;
  /** A minute with so many times the usual calls of a tool by an agent raises `tool.burst`. @default 10 */
  burstFactor?: number;
  /** Fewer calls in a minute are no burst. @default 30 */
  burstMinimum?: number;
  /** So many refused calls of an agent in a minute raise `tool.denials`. @default 5 */
  denialRun?: number;
  /** How many pairs of agent and tool are watched for unusual use; beyond it the agents seen longest ago are forgotten. @default 100000 */
  maxTracked?: number;
}

export interface UnusualSettings {
  readonly burstFactor: number;
  readonly burstMinimum: number;
  readonly denialRun: number;
  readonly maxTracked: number;
}

export interface ResolvedTools extends UnusualSettings {
  /** The lists of agents; `undefined` where the option is not given. */
  readonly allow: NameMap<NameSet> | undefined;
  /** What the options declare of tools. */
  readonly policies: NameMap<Tool>;
  readonly requireAgent: boolean;
}

const COUNT = { min: 1, max: 1_000_000_000 };

export function resolveTools(input: unknown): ResolvedTools | false {
  if (input === false) return false;
  const options = readObject('tools', input, [
    'allow',
    'policies',
    'requireAgent',
    'burstFactor',
    'burstMinimum',
    'denialRun',
    'maxTracked',
  ]);
  const allow = readRecord(
    'tools.allow',
    options.allow,
    'an object of agents and their tools',
    (option, pattern, value) => {
      checkAgentPattern(option, pattern);
      return readToolPatterns(option, value);
    },
  );
  const policies = readRecord(
    'tools.policies',
    options.policies,
    'an object of tools and their options',
    (option, pattern, value) => {
      checkToolPattern(option, pattern);
      return resolveToolOptions(option, pattern, value);
    },
  );
  return {
    allow,
    policies: policies ?? new NameMap(),
    requireAgent: readBoolean('tools.requireAgent', options.requireAgent, allow !== undefined),
    burstFactor: readInteger('tools.burstFactor', options.burstFactor, 10, { min: 2, max: 1_000_000 }),
    burstMinimum: readInteger('tools.burstMinimum', options.burstMinimum, 30, COUNT),
    denialRun: readInteger('tools.denialRun', options.denialRun, 5, COUNT),
    maxTracked: readInteger('tools.maxTracked', options.maxTracked, 100_000, { min: 64, max: 10_000_000 }),
  };
}

function readRecord<T>(
  option: string,
  value: unknown,
  expected: string,
  read: (option: string, key: string, value: unknown) => T,
): NameMap<T> | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value)) throw recordError(option, value, expected);
  rejectMissing(option, value);
  return new NameMap(
    Object.entries(value).map(([key, own]) => [key, read(`${option}.${showName(key)}`, key, own)] as const),
  );
}

function recordError(option: string, value: unknown, expected: string): AgentSecurityConfigError {
  return receivedError('ASEC_OPTION_TYPE', option, `must be ${expected}`, `Pass ${expected}.`, value);
}
