/* Exact paths that are exempt from a check: as they are configured, and where the app mounts them. */
import { requestPath } from './http-request.js';

export class ExemptPaths {
  #all: ReadonlySet<string>;

  constructor(readonly configured: ReadonlySet<string>) {
    this.#all = configured;
  }

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** Whether a request target has one of the paths. */
  has(target: string): boolean {
    return !this.isEmpty && this.#all.has(requestPath(target));
  }

  /**
   * Called once, before the first request: main.ts sets the global prefix after the options are read.
   * @param mounts what stands before the path of a controller: `''`, `/api`, `/api/v1`
   */
  mount(mounts: readonly string[]): void {
    this.#all = new Set([...this.configured].flatMap(path => mountedPaths(path, mounts)));
  }
}

/** A path at each of the places where the app mounts its controllers. */
export const mountedPaths = (path: string, mounts: readonly string[]): readonly string[] =>
  mounts.map(mount => (path === '/' && mount !== '' ? mount : mount + path));
