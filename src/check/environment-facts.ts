/* What checks know of the process and of the machine. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { url as inspectorUrl } from 'node:inspector';

export type Variables = Readonly<Record<string, string | undefined>>;

/** A file that holds secrets or records. */
export interface FileFact {
  /** The option or the variable that names it. */
  readonly option: string;
  readonly path: string;
  /** Whether users other than its owner and its group may read or write it. */
  readonly isOpen: boolean;
}

export interface EnvironmentFacts {
  readonly variables: Variables;
  readonly isRoot: boolean;
  readonly isContainer: boolean;
  /** Whether a debugger can attach. */
  readonly hasInspector: boolean;
  readonly files: readonly FileFact[];
}

/** The vulnerable packages that `npm audit` names. */
export interface AuditFacts {
  readonly vulnerable: readonly { readonly name: string; readonly severity: string }[];
}

/** @param named files by the option or the variable that names them */
export function readEnvironmentFacts(
  variables: Variables,
  named: readonly (readonly [option: string, path: string])[],
): EnvironmentFacts {
  return {
    variables,
    // Not on Windows.
    isRoot: process.getuid?.() === 0,
    isContainer: isContainer(variables),
    hasInspector:
      inspectorUrl() !== undefined || /--inspect(?:-brk|-wait)?\b/.test(variables['NODE_OPTIONS'] ?? ''),
    files: named.flatMap(([option, path]) => readFile(option, path)),
  };
}

function isContainer(variables: Variables): boolean {
  if (variables['KUBERNETES_SERVICE_HOST'] !== undefined) return true;
  if (existsSync('/.dockerenv') || existsSync('/run/.containerenv')) return true;
  try {
    return /docker|containerd|kubepods|libpod/.test(readFileSync('/proc/1/cgroup', 'utf8'));
  } catch {
    return false;
  }
}

const OTHERS = 0o007;

function readFile(option: string, path: string): readonly FileFact[] {
  // Windows has no such bits: every file would seem open.
  if (process.platform === 'win32') return [];
  try {
    return [{ option, path, isOpen: (statSync(path).mode & OTHERS) !== 0 }];
  } catch {
    return []; // An audit file does not exist before the first record.
  }
}
