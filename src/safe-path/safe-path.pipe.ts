import { realpathSync, statSync } from 'node:fs';
import { Injectable, type PipeTransform } from '@nestjs/common';
import { ProblemException } from '../http/problem.exception.js';
import { boolean, type OptionTable, readTable } from '../common/option-table.js';
import { readRequired, receivedError } from '../common/read-options.js';
import { checkSafePath } from './check-safe-path.js';
import { resolveWithin } from './resolve-within.js';

export interface SafePathOptions {
  /** The folder that nothing leads out of; it must exist. */
  root: string;
  /** Whether names may begin with a dot (`.env`, `.git`). @default false */
  dotfiles?: boolean;
}

const TABLE = { root: readRoot, dotfiles: boolean(false) } satisfies OptionTable<SafePathOptions>;

/**
 * Turns a path from a request into the absolute path of something within `root`, or answers 400 `path_invalid`: for steps up, absolute
 * paths, drives, device names, NUL, and symbolic links that lead out. Whether the file exists is the handler's affair.
 *
 * The trap: who can write into `root` can put a link there between this check and the handler's `open()`.
 * @throws AgentSecurityConfigError when it is made, for a root that is no folder
 * @example
 * @Get('files/:name')
 * read(@Param('name', new SafePathPipe({ root: 'files' })) path: string) { return readFile(path); }
 */
@Injectable()
export class SafePathPipe implements PipeTransform<unknown, Promise<string>> {
  readonly #root: string;
  readonly #dotfiles: boolean;

  constructor(options: SafePathOptions) {
    const { root, dotfiles } = readTable('SafePathPipe', options, TABLE);
    this.#root = root;
    this.#dotfiles = dotfiles;
  }

  async transform(value: unknown): Promise<string> {
    // A wildcard parameter comes as the list of its segments on Express.
    const path =
      Array.isArray(value) && value.every(part => typeof part === 'string') ? value.join('/') : value;
    const resolved =
      typeof path === 'string' && checkSafePath(path, this.#dotfiles) === undefined
        ? await resolveWithin(this.#root, path)
        : undefined;
    if (resolved !== undefined) return resolved;
    // One answer for all: which files and links there are is nobody's business.
    throw new ProblemException({ status: 400, code: 'path_invalid', detail: 'The path is not valid.' });
  }
}

function readRoot(option: string, value: unknown): string {
  const root = readRequired(option, value);
  try {
    const real = realpathSync(root);
    if (statSync(real).isDirectory()) return real;
  } catch {
    // Rejected below.
  }
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be a folder that exists',
    'Create it before the app starts.',
    root,
  );
}
