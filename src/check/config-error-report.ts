/* The report of an app whose configuration stops its start-up. */
import { isRecord } from '../common/read-options.js';
import type { CheckReport } from './finding.js';
import { readPackageFacts } from './package-facts.js';
import { toFinding } from './run-checks.js';

/** What is read of an `AgentSecurityConfigError`, which may be of another copy of this package. */
interface ConfigError {
  readonly code: string;
  readonly option: string;
  readonly message: string;
  readonly remedy?: string;
}

/** @returns `undefined` for any other error */
export function configErrorReport(error: unknown, folder: string): CheckReport | undefined {
  if (!isConfigError(error)) return undefined;
  const { versions, docsBase } = readPackageFacts(folder, undefined);
  const { code, option, message, remedy = '' } = error;
  const end = ` ${remedy} [${code}]`;
  const problem = message.endsWith(end) ? message.slice(option.length + 1, -end.length) : message;
  const found = {
    id: code,
    option,
    fault: problem.replace(/\.$/, ''),
    why: 'the app does not start',
    remedy,
  };
  return {
    findings: [toFinding(found, 'error', docsBase)],
    silenced: [],
    rules: [],
    notes: ['The start-up ended there, so that nothing else was checked.'],
    options: [],
    summary: [],
    versions,
    installed: [],
  };
}

const isConfigError = (error: unknown): error is ConfigError =>
  isRecord(error) &&
  error['name'] === 'AgentSecurityConfigError' &&
  ['code', 'option', 'message'].every(key => typeof error[key] === 'string');
