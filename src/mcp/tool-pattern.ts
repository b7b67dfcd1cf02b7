/* Names of tools, as lists give them: whole, or with `*` for any part. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { readStringList, show } from '../common/read-options.js';

export type ToolPattern = (tool: string) => boolean;

export function compileToolPatterns(option: string, value: unknown): readonly ToolPattern[] {
  return readStringList(option, value, []).map((pattern, index) => {
    // Two wildcards at the most: with many, matching would take a long time on names that nearly fit.
    if (pattern === '' || pattern.length > 256 || pattern.split('*').length > 3) {
      throw new AgentSecurityConfigError(
        'ASEC_OPTION_TYPE',
        `${option}[${index}]`,
        `must be the name of a tool or a pattern, received ${show(pattern)}`,
        'Write "read_file" or "read_*", with two wildcards at the most.',
        pattern,
      );
    }
    if (!pattern.includes('*')) return tool => tool === pattern;
    const expression = new RegExp(`^${pattern.split('*').map(escape).join('.*')}$`, 's');
    return tool => expression.test(tool);
  });
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

export const matchesTool = (tool: string, patterns: readonly ToolPattern[]): boolean =>
  patterns.some(matches => matches(tool));
