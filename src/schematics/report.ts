/* What the schematic tells about the set-up that the module replaces. */
import { importBindings } from './import-bindings.js';
import { type Setup } from './find-setup.js';
import { REPLACED_PACKAGES } from './replaced-packages.js';
import type { Source } from './source.js';

const MAX_CODE = 300;

/** The place, the code with the settings that it had, and the option that takes them. */
export function describeSetup(source: Source, { node, use, by, isRemovable }: Setup): string {
  const [place, whole] = isRemovable ? [node, node.getText(source.file)] : [use, lineAround(source, use.end)];
  const code = whole.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  const shown = code.length > MAX_CODE ? `${code.slice(0, MAX_CODE)} …` : code;
  return `:${source.lineOf(place)}, option "${by}" takes its settings: ${shown}`;
}

function lineAround({ text }: Source, at: number): string {
  const end = text.indexOf('\n', at);
  return text.slice(text.lastIndexOf('\n', at - 1) + 1, end < 0 ? undefined : end);
}

const packagesOf = (sources: ReadonlyMap<string, Source>): Set<string> =>
  new Set([...sources.values()].flatMap(source => importBindings(source).map(({ from }) => from)));

/** The replaced packages that were imported before, and are no longer. */
export function unusedPackages(
  before: ReadonlyMap<string, Source>,
  after: ReadonlyMap<string, Source>,
): string[] {
  const used = packagesOf(after);
  return [...packagesOf(before)].filter(name => Object.hasOwn(REPLACED_PACKAGES, name) && !used.has(name));
}
