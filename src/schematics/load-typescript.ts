/* The TypeScript compiler of the user's project, or of its Nest CLI. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type ts from 'typescript';

export type TypeScript = typeof ts;

/** TypeScript 7 has no such interface in `typescript`: then the Nest CLI has an older one of its own. */
const isCompiler = (value: unknown): value is TypeScript =>
  typeof (value as Partial<TypeScript> | null)?.createSourceFile === 'function';

const attempt = <T>(run: () => T): T | undefined => {
  try {
    return run();
  } catch {
    return undefined;
  }
};

export function loadTypeScript(
  root: string = process.cwd(),
  program = process.argv[1] ?? root,
): TypeScript | undefined {
  for (const from of [join(root, 'package.json'), program]) {
    const load = createRequire(from);
    const own = attempt(() => load('typescript') as unknown);
    if (isCompiler(own)) return own;
    const cli = attempt(() => load.resolve('@nestjs/cli/package.json'));
    const ofCli = cli && attempt(() => createRequire(cli)('typescript') as unknown);
    if (isCompiler(ofCli)) return ofCli;
  }
  return undefined;
}
