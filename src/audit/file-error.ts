/* Why an audit file stops the start-up. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { UntrustedFileError } from './linked-file.js';

const fileError = (path: string, problem: string, remedy: string): AgentSecurityConfigError =>
  new AgentSecurityConfigError('ASEC_AUDIT_FILE', `audit.file "${path}"`, problem, remedy, path);

export function brokenChain(path: string, problem: string): AgentSecurityConfigError {
  return fileError(
    path,
    problem,
    'Check it with "npx nestjs-agent-security audit verify"; to begin a new chain, move it and its head away.',
  );
}

/** The error of a file that could not be opened, with its remedy. */
export function toFileError(path: string, error: Error): AgentSecurityConfigError {
  if (error instanceof AgentSecurityConfigError) return error;
  const { message } = error;
  if (error.name === 'FileLockedError') return fileError(path, message, 'Give each process its own file.');
  if (error instanceof UntrustedFileError) {
    return fileError(
      path,
      `is rejected: ${message}`,
      'Remove it, or give it to the user of this process with mode 600.',
    );
  }
  return fileError(
    path,
    `cannot be opened (${message})`,
    'Create its directory, and let this process write there.',
  );
}
