/* The file and the class that main.ts gives to NestFactory. */
import { posix } from 'node:path';
import { importBindings } from './import-bindings.js';
import type { TypeScript } from './load-typescript.js';
import type { Project } from './project.js';
import { Source } from './source.js';

export interface RootModule {
  readonly path: string;
  /** Not known where `main.ts` does not tell: then the file has to have one module alone. */
  readonly className?: string;
}

export function findRootModule(project: Project, compiler: TypeScript): RootModule | undefined {
  const { sourceRoot } = project;
  const main = project.read(`${sourceRoot}/main.ts`);
  const source = main === undefined ? undefined : new Source(compiler, main);
  const [call] = (source?.find(compiler.isCallExpression) ?? []).filter(({ expression }) =>
    /^NestFactory\s*\.\s*create$/.test(expression.getText()),
  );
  const [root] = call?.arguments ?? [];
  const binding = source && root && importBindings(source).find(({ local }) => local === root.getText());
  if (binding?.from.startsWith('.')) {
    const path = posix.join(sourceRoot, binding.from.replace(/\.[cm]?[jt]s$/, ''));
    const found = [`${path}.ts`, `${path}/index.ts`].find(file => project.read(file) !== undefined);
    if (found === undefined) return undefined;
    return { path: found, ...(binding.imported !== 'default' && { className: binding.imported }) };
  }
  const usual = `${sourceRoot}/app.module.ts`;
  return project.read(usual) === undefined ? undefined : { path: usual };
}
