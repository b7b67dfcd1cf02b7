import { realpathSync, statSync } from 'node:fs';
import { Injectable, type PipeTransform } from '@nestjs/common';
import { ProblemException } from '../http/problem.exception.js';
import { boolean, type OptionTable, readTable } from '../common/option-table.js';
import { readRequired, receivedError } from '../common/read-options.js';
import { checkSafePath, resolveWithin } from './check-safe-path.js';

/**
 * Options of `SafePathPipe`.
 * @example
 * new SafePathPipe({ root: 'uploads', dotfiles: false })
 */
export interface SafePathOptions {
  /** The folder that contains all allowed paths. It must exist. */
  root: string;
  /** Allows names that begin with a dot (`.env`, `.git`). @default false */
  dotfiles?: boolean;
}

const TABLE = { root: readRoot, dotfiles: boolean(false) } satisfies OptionTable<SafePathOptions>;

/**
 * Resolves a path from a request to an absolute path within `root`. Parent segments, absolute paths, drives, device
 * names, control characters and symbolic links that lead out of `root` get 400 `path_invalid`. The pipe does not check
 * that the file exists.
 *
 * Danger: code that can write into `root` can create a link between this check and the handler's `open()`.
 * @throws AgentSecurityConfigError when the pipe is created, for a root that is no folder
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
    // On Express, a wildcard parameter is a list of segments.
    const path =
      Array.isArray(value) && value.every(part => typeof part === 'string') ? value.join('/') : value;
    const resolved =
      typeof path === 'string' && checkSafePath(path, this.#dotfiles) === undefined
        ? await resolveWithin(this.#root, path)
        : undefined;
    if (resolved !== undefined) return resolved;
    // The same problem for every fault, so that it does not reveal which files and links exist.
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
