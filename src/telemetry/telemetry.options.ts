/* The option `telemetry`: metrics and traces through the API of OpenTelemetry. */
import { boolean, expandShort, type OptionTable, readTable, type Resolved } from '../common/option-table.js';

/**
 * What spans show. The metrics and spans themselves are the same for every app.
 * @example
 * AgentSecurityModule.forRoot({ telemetry: { arguments: true } })
 */
export interface TelemetryOptions {
  /**
   * Whether the spans of tool calls show the arguments, as `gen_ai.tool.call.arguments`: redacted and cut as in audit records.
   *
   * Danger: everyone who can read traces reads what agents send to tools.
   * @default false
   */
  arguments?: boolean;
}

const TABLE = { arguments: boolean(false) } satisfies OptionTable<TelemetryOptions>;

export type ResolvedTelemetry = Resolved<typeof TABLE>;

export function resolveTelemetry(input: unknown): ResolvedTelemetry | false {
  if (input === undefined || input === false) return false;
  return readTable('telemetry', expandShort(input), TABLE);
}
