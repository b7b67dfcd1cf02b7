/* The files of the user's project, and what the schematic uses of @angular-devkit/schematics. The CLI of the project brings the devkit, so
 * that this package does not depend on it. */

/** Changes are written after the schematic ends. */
export interface Tree {
  exists(path: string): boolean;
  read(path: string): Uint8Array | null;
  create(path: string, content: string): void;
  overwrite(path: string, content: string): void;
  getDir(path: string): Directory;
}

export interface Directory {
  readonly path: string;
  readonly subdirs: readonly string[];
  readonly subfiles: readonly string[];
  dir(name: string): Directory;
}

export interface Logger {
  info(message: string): void;
  warn(message: string): void;
}

export type Rule = (tree: Tree, context: { readonly logger: Logger }) => void;

export class Project {
  constructor(
    private readonly tree: Tree,
    /** The folder of `main.ts`: `/src`. */
    readonly sourceRoot: string,
  ) {}

  read(path: string): string | undefined {
    const content = this.tree.read(path);
    return content === null ? undefined : Buffer.from(content).toString('utf8');
  }

  write(path: string, text: string): void {
    if (this.tree.exists(path)) this.tree.overwrite(path, text);
    else this.tree.create(path, text);
  }

  /** The TypeScript that runs in the app: without declarations and tests. */
  sources(directory: Directory = this.tree.getDir(this.sourceRoot)): string[] {
    const own = directory.subfiles
      .filter(name => /\.[cm]?ts$/.test(name) && !/\.(?:d|spec|test|e2e-spec)\.[cm]?ts$/.test(name))
      .map(name => `${directory.path === '/' ? '' : directory.path}/${name}`);
    const below = directory.subdirs.filter(name => name !== 'node_modules' && name !== 'dist');
    return [...own, ...below.flatMap(name => this.sources(directory.dir(name)))];
  }
}
