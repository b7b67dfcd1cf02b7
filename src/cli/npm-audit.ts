/* The vulnerable packages that `npm audit` names, where a registry answers. */
import { execFile } from 'node:child_process';
import { isRecord } from '../common/read-options.js';

export interface NpmAudit {
  readonly vulnerable?: readonly { readonly name: string; readonly severity: string }[];
  /** Why there is no answer. */
  readonly note?: string;
}

const TIMEOUT_MS = 60_000;

/** Of the dependencies that a deployment installs, in the working directory. */
export function npmAudit(): Promise<NpmAudit> {
  const isWindows = process.platform === 'win32';
  return new Promise(settle => {
    execFile(
      isWindows ? 'npm.cmd' : 'npm',
      ['audit', '--omit=dev', '--json'],
      { encoding: 'utf8', timeout: TIMEOUT_MS, shell: isWindows, maxBuffer: 64 * 1024 ** 2 },
      // npm ends with 1 where it finds something.
      (_error, stdout) => settle(readNpmAudit(stdout)),
    );
  });
}

export function readNpmAudit(text: string): NpmAudit {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return noAnswer('npm did not answer');
  }
  if (isRecord(answer) && isRecord(answer['vulnerabilities'])) {
    const vulnerable = Object.entries(answer['vulnerabilities']).map(([name, found]) => ({
      name,
      severity: isRecord(found) && typeof found['severity'] === 'string' ? found['severity'] : 'unknown',
    }));
    return { vulnerable };
  }
  const error = isRecord(answer) && isRecord(answer['error']) ? answer['error'] : undefined;
  return noAnswer(String(error?.['summary'] || error?.['code'] || 'the registry did not answer'));
}

const noAnswer = (reason: string): NpmAudit => ({ note: `Dependencies were not checked: ${reason}.` });
