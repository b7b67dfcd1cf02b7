/* The tree of @angular-devkit/schematics as far as the schematic uses it, in memory. */
import { posix } from 'node:path';
import type { Directory, Tree } from '../../src/schematics/project.js';

export class MemoryTree implements Tree {
  readonly #files: Map<string, string>;
  /** The files that were created or overwritten. */
  readonly written: string[] = [];

  constructor(files: Readonly<Record<string, string>>) {
    this.#files = new Map(Object.entries(files));
  }

  text(path: string): string | undefined {
    return this.#files.get(path);
  }

  exists(path: string): boolean {
    return this.#files.has(path);
  }

  read(path: string): Uint8Array | null {
    const text = this.#files.get(path);
    return text === undefined ? null : Buffer.from(text);
  }

  create(path: string, content: string): void {
    if (this.exists(path)) throw new Error(`${path} exists`);
    this.#files.set(path, content);
    this.written.push(path);
  }

  overwrite(path: string, content: string): void {
    if (!this.exists(path)) throw new Error(`${path} does not exist`);
    this.#files.set(path, content);
    this.written.push(path);
  }

  getDir(path: string): Directory {
    const parts = [...this.#files.keys()]
      .filter(file => file.startsWith(`${path}/`))
      .map(file => file.slice(path.length + 1).split('/'));
    const names = (isFile: boolean): string[] => [
      ...new Set(parts.filter(({ length }) => (length === 1) === isFile).map(([name]) => name!)),
    ];
    return {
      path,
      subdirs: names(false),
      subfiles: names(true),
      dir: name => this.getDir(posix.join(path, name)),
    };
  }
}
