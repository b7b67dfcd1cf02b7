/* Adds this package to the dependencies of package.json. `nest add` has installed it already, unless it was told not to. */
import { createRequire } from 'node:module';
import { PACKAGE } from './add-to-root-module.js';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const sorted = (object: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** @returns the new text, or `undefined` where the package is a dependency already */
export function addDependency(text: string): string | undefined {
  const manifest = JSON.parse(text.replace(/^\uFEFF/, '')) as Manifest;
  if (manifest.dependencies?.[PACKAGE] ?? manifest.devDependencies?.[PACKAGE]) return undefined;
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
  const dependencies = sorted({ ...manifest.dependencies, [PACKAGE]: `^${version}` });
  const indent = /\n([ \t]+)"/.exec(text)?.[1] ?? '  ';
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const end = text.endsWith('\n') ? eol : '';
  return JSON.stringify({ ...manifest, dependencies }, null, indent).replaceAll('\n', eol) + end;
}
