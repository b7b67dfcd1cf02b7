/* The option `check`: the findings that are accepted, each with a reason. */
import { type OptionTable, type ReadOption, readTable, type Resolved } from '../common/option-table.js';
import { isRecord, readRequired, receivedError, rejectMissing } from '../common/read-options.js';
import { showName } from '../common/show-value.js';
import type { CheckReport } from './finding.js';

/**
 * What `npx nestjs-agent-security check` and `AgentSecurityModule.check()` leave out. It changes nothing in the running app.
 * @example
 * AgentSecurityModule.forRoot({ check: { silence: { 'ASEC-C001': 'The ingress checks the host.' } } })
 */
export interface CheckOptions {
  /**
   * Findings that are accepted: their IDs, each with the reason. A silenced finding stays in the report with its reason and does not fail the
   * command. An ID that finds nothing is reported. See docs/check.md#silence-a-finding.
   * @default {}
   */
  silence?: Readonly<Record<string, string>>;
}

const FORM = /^ASEC-C\d{3}$/;

const readSilence: ReadOption<ReadonlyMap<string, string>> = (option, value = {}) => {
  if (!isRecord(value)) throw silenceError(option, 'must be an object of IDs and reasons', value);
  rejectMissing(option, value);
  return new Map(
    Object.entries(value).map(([id, reason]) => {
      if (!FORM.test(id)) throw silenceError(`${option}.${showName(id)}`, 'is not the ID of a finding', id);
      return [id, readRequired(`${option}.${id}`, reason)] as const;
    }),
  );
};

function silenceError(option: string, problem: string, received: unknown): Error {
  const remedy = 'Write for example { "ASEC-C001": "The ingress checks the host." }.';
  return receivedError('ASEC_OPTION_TYPE', option, problem, remedy, received);
}

const TABLE = { silence: readSilence } satisfies OptionTable<CheckOptions>;

export type ResolvedCheck = Resolved<typeof TABLE>;

export const resolveCheck = (input: unknown): ResolvedCheck => readTable('check', input, TABLE);

/** Checks the app that it is a provider of. */
export type ReadReport = () => Promise<CheckReport>;

export const READ_REPORT = Symbol('agent-security:read-report');
